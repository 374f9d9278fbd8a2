"""The report on terminals of any width: words stay whole, lines fit, whatever the classes are called."""

import re
from io import StringIO

import pandas as pd
import pytest
import synthetic
from rich.cells import cell_len
from rich.console import Console
from synthetic import write_study

from scar.reporting.content import gather
from scar.reporting.formats.layout import SHORTEST, wrap
from scar.reporting.formats.table import Table
from scar.reporting.formats.terminal import comparison_table, print_report
from scar.reporting.study_folder import load_study

WIDTHS = range(80, 201, 8)
PLANNERS = ("scar", "random", "class_average", "tempered", "water_filling", "error_proportional", "long_tail_first")
LONG = (
    "Ankle boot, lined, for winter and rain",
    "踝靴和其他各种冬季防水鞋类产品系列",
    "Hottentottenstottertrottelmutterbeutelratte",
    "Bag",
)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "NAMES", LONG)
        folder = write_study(
            tmp_path_factory.mktemp("outputs") / "s", seeds=2, strategies=PLANNERS, gain=dict.fromkeys(PLANNERS, 0.05)
        )
    return gather(load_study(folder), resamples=100)


def printed(renderable, width):
    file = StringIO()
    console = Console(file=file, width=width, highlight=False, no_color=True, legacy_windows=False)
    if isinstance(renderable, Table):
        console.print(renderable.to_terminal())
    else:
        print_report(renderable, console)
    return file.getvalue()


def vocabulary(content):
    """Words that a line of the report may hold: those of a report that had all the room it wanted."""
    return set(re.split(r"[\s─]+", printed(content, 2000)))


def test_no_line_is_too_long_and_no_word_is_broken(content):
    known = vocabulary(content)
    for width in WIDTHS:
        text = printed(content, width)
        for line in text.splitlines():
            assert cell_len(line.rstrip()) <= width or line.lstrip().startswith("scar "), (width, line)
        broken = {word for word in re.split(r"[\s─]+", text) if word not in known and not word.endswith("…")}
        assert broken == set(), width


def test_every_strategy_has_a_line_at_every_budget_and_its_numbers(content):
    (group,) = content.study.groups()
    table = comparison_table(content, group, "matched_balanced_accuracy")
    assert len(table.cells) == 2 + 3 * len(PLANNERS)
    arms = content.comparison.arms
    own = arms[(arms.metric == "matched_balanced_accuracy") & (arms.fraction == 0.1)].set_index("subject")
    shown = table.cells.iloc[2 + len(PLANNERS) : 2 + 2 * len(PLANNERS)]
    assert shown.budget.tolist() == ["10 %", *[""] * (len(PLANNERS) - 1)]
    first = own.loc[["scar", "random", "class_average"], ["value", "low", "high"]] * 100
    assert shown.score.tolist()[:3] == [f"{v:.1f} [{low:.1f}, {high:.1f}]" for v, low, high in first.to_numpy()]
    for line in printed(table, 80).splitlines()[4:]:
        assert cell_len(line.rstrip()) < 80


@pytest.mark.parametrize("width", [80, 120, 200])
def test_more_columns_than_fit_come_in_blocks_that_repeat_the_first(width):
    cells = pd.DataFrame([{"name": "primary", **{f"column {n}": f"{n}00 [{n}, {n}9]" for n in range(20)}}])
    text = printed(Table(name="wide", caption="Wide", cells=cells, values=cells), width)
    assert all(f" {n}00 " in text and f"[{n}, {n}9]" in text for n in range(20))
    assert text.count("primary") == text.count("name") > 1
    assert max(cell_len(line.rstrip()) for line in text.splitlines()) <= width


def test_only_text_is_cut_and_only_where_it_must_be():
    word = "x" * 70
    cells = pd.DataFrame([{"class": word, "samples": "1\u202f234 567"}])
    table = Table(name="t", caption="T", cells=cells, values=cells)
    assert word in printed(table, 120)
    narrow = printed(table, 60)
    assert "1\u202f234 567" in " ".join(narrow.split(" ")) or "1\u202f234" in narrow
    assert f"{'x' * (SHORTEST - 1)}" in narrow
    assert "…" in narrow


def test_lines_end_between_words_and_never_within_an_interval():
    assert wrap("up by 25 % of it [0.1, 0.2] now", 8) == ["up by", "25 % of", "it", "[0.1, 0.2]", "now"]
    assert wrap("踝靴 踝靴 踝靴", 9) == ["踝靴 踝靴", "踝靴"]

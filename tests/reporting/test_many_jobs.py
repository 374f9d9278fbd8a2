"""Reports on very many jobs: the same tables, in memory and time that grow with the jobs and not with their square."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from synthetic import write_study

from scar.job.rows import Rows, join_stored, load_predictions, read_stored
from scar.reporting import joined_rows
from scar.reporting.axes import as_texts, select
from scar.reporting.comparison import compare
from scar.reporting.content import gather
from scar.reporting.figures import pareto_figure
from scar.reporting.formats import table as table_module
from scar.reporting.formats.page import commands
from scar.reporting.formats.table import Table
from scar.reporting.joined_rows import JoinedRows, gathered, parts_of, runs_of
from scar.reporting.paper import figure3a, figure3b
from scar.reporting.paper.figure3a import draw_sizes, sizes_frame
from scar.reporting.paper.figure3b import bubbles_frame, draw_bubbles
from scar.reporting.study_folder import load_study
from scar.reporting.study_job import StudyJob
from scar.reporting.tables.card_tables import card_tables
from scar.reporting.tables.encoder_agreement import _wide, encoder_agreements
from scar.reporting.tables.leaderboard import Board, leaderboards
from scar.reporting.tables.leaderboard_table import leaderboard_tables
from scar.reporting.tables.missing import missing_arms

ENCODERS = ("Ünïcode", "a|b_`#%", "clip", "efficientnet_lite0", "random_network")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    groups = [("digits", encoder, "image", regime) for regime in ("natural", "long_tailed") for encoder in ENCODERS]
    return write_study(tmp_path_factory.mktemp("outputs") / "many", groups=groups, seeds=2, ahead=True, n_test=120)


@pytest.fixture(scope="module")
def study(folder):
    return load_study(folder)


def written(content):
    """Everything that tables and texts of a report hold."""
    tables = [*content.tables, *content.more_tables, *(detail.table for detail in content.details)]
    texts = {table.name: (table.to_markdown(), table.to_latex(), table.to_csv(), table.html_rows()) for table in tables}
    arms = content.comparison.arms.to_csv()
    return texts, arms, content.answers, content.caveats, content.missing, [each.data for each in content.drawings]


@pytest.mark.slow
def test_texts_as_categories_and_plain_ones_give_the_same_report(study):
    plain = replace(study, rows=as_texts(study.rows))
    assert all(not isinstance(kind, pd.CategoricalDtype) for kind in plain.rows.dtypes)
    assert isinstance(study.rows.metric.dtype, pd.CategoricalDtype)
    *one, data = written(gather(study, resamples=100, details=1))
    *other, other_data = written(gather(plain, resamples=100, details=1))
    assert one == other
    for a, b in zip(data, other_data, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.to_csv() == b.to_csv()
    for group in study.groups():
        a, b = (card_tables(each, group, seed=0) for each in (study, plain))
        assert {name: frame.to_csv() for name, frame in a.items()} == {
            name: frame.to_csv() for name, frame in b.items()
        }


def tables_of_versions():
    """Stored rows as several versions left them: without lists, without a column, with one that is empty throughout."""
    shared = {"dataset": "Ünïcode 数据", "encoder": "e", "modality": "image", "seed": 1, "job": "first"}
    rows = Rows(**shared)
    rows.add("n_total", 3, stage="dataset", n=2**40, fraction=0.5)
    rows.add_classes("class_size", [1.0, 2.0], ["b", "ä"], low=[0.5, np.nan], flag=["", "met"])
    whole = rows.table()
    plain = Rows(**{**shared, "job": "second", "seed": 2})
    plain.add("accuracy", np.nan, flag="x")
    expanded = pa.Table.from_pandas(plain.frame(), preserve_index=False)
    without = expanded.drop_columns(["mix", "factor", "low"])
    empty = whole.set_column(whole.column_names.index("regime"), "regime", pa.nulls(len(whole)))
    other = whole.append_column("later", pa.array(["new"] * len(whole)))
    return [whole, expanded, without, empty, whole.slice(0, 0), other, other]


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_joined_rows_are_those_of_all_jobs_whatever_version_wrote_them(batch, monkeypatch):
    monkeypatch.setattr(joined_rows, "BATCH", batch)
    tables = tables_of_versions()
    joined = JoinedRows()
    for table in tables:
        joined.add(table)
    frame = joined.frame(axis=["a", "b", "c", "", "", "d", "a"])
    expected = join_stored(tables)
    assert joined.lengths == [3, 1, 1, 3, 0, 3, 3]
    assert frame.axis.tolist() == [*"aaabc", "", "", "", *"dddaaa"]
    pd.testing.assert_frame_equal(
        as_texts(frame.drop(columns="axis")), expected, check_dtype=False, check_column_type=False
    )
    for name, kind in frame.dtypes.items():
        if isinstance(kind, pd.CategoricalDtype):
            assert list(kind.categories) == sorted(kind.categories), name


def test_no_job_gives_no_row_but_every_column():
    frame = JoinedRows().frame(axis=[])
    assert frame.empty
    assert {"metric", "value", "axis"} <= set(frame.columns)


def test_rows_of_a_group_come_together_in_the_order_of_the_first():
    frame = pd.DataFrame({"a": ["x", "y", "x", "x"], "b": [1, 1, 1, 2], "value": [1.0, 2.0, 3.0, 4.0]})
    assert runs_of(frame, ["a", "b"]) == {("x", 1): [(0, 1), (2, 3)], ("y", 1): [(1, 2)], ("x", 2): [(3, 4)]}
    assert {key: part.value.tolist() for key, part in parts_of(frame, ["a", "b"]).items()} == {
        ("x", 1): [1.0, 3.0],
        ("y", 1): [2.0],
        ("x", 2): [4.0],
    }
    together = gathered(frame, ["a", "b"])
    assert together.value.tolist() == [1.0, 3.0, 2.0, 4.0]
    assert all(len(runs) == 1 for runs in runs_of(together, ["a", "b"]).values())
    assert gathered(together, ["a", "b"]) is together
    assert parts_of(frame.iloc[:0], ["a", "b"]) == {}


def test_a_job_alone_is_read_as_among_others(tmp_path, folder):
    one = load_study(write_study(tmp_path / "s", seeds=1, strategies=("scar",)))
    assert one.rows.job.nunique() == len(one.jobs) == 1
    assert len(gather(one, resamples=100, details=0).answers) == 1


def test_columns_that_no_report_reads_are_not_read(folder):
    file = next(folder.glob("jobs/*/rows.parquet"))
    assert set(read_stored(file).column_names) - set(read_stored(file, without=("key", "level")).column_names) == {
        *("key", "level")
    }


def test_of_predictions_only_the_arms_that_are_asked_for_are_read(folder):
    job = next(folder.glob("jobs/*/predictions.npz")).parent
    every, some = load_predictions(job), load_predictions(job, ["total"])
    assert set(some) == {"labels", "total"}
    assert all((some[name] == every[name]).all() for name in some)


@pytest.mark.slow
def test_pairs_of_encoders_are_bounded_and_the_note_says_how_to_have_all(study):
    boards = leaderboards(study)
    every = {each.group["regime"]: each for each in encoder_agreements(study, boards, resamples=100)}
    few = {each.group["regime"]: each for each in encoder_agreements(study, boards, resamples=100, paired=2)}
    for regime, each in few.items():
        assert (each.left_out, every[regime].left_out) == (2, 0)
        assert len(each.pairs) == 8
        assert len(every[regime].pairs) == 6 * 8
        (board,) = (board for board in boards if board.group == each.group)
        best = [name for name in board.frame.encoder if name != "random_network"][:2]
        assert {*each.pairs["first"], *each.pairs.second} == set(best)
        pd.testing.assert_frame_equal(each.order, every[regime].order)
    tables, _ = leaderboard_tables(study, resamples=100, paired=2)
    notes = [" ".join(table.notes) for table in tables if table.name.startswith("agreement")]
    assert all("Pairs of 2 of the 4 encoders" in note and "paired=4 lists all 6 pairs" in note for note in notes)
    tables, _ = leaderboard_tables(study, resamples=100)
    assert not any("Pairs of" in note for table in tables for note in table.notes)


def test_a_table_by_seed_and_class_takes_the_first_known_value_and_classes_need_not_overlap():
    rows = pd.DataFrame({"seed": [1, 0, 0, 1], "class_id": [2, 2, 0, 0], "value": [0.1, 0.2, 0.3, 0.4]})
    rows = rows.astype({"seed": "Int64", "class_id": "Int32"})

    def turned(rows):
        return rows.pivot_table(index="seed", columns="class_id", values="value", aggfunc="first", dropna=False)

    for own in (rows, rows.iloc[:3], rows.iloc[:0], pd.concat([rows, rows.iloc[:1].assign(value=9.0)])):
        found, expected = _wide(own), turned(own)
        np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy(dtype=float))
        assert ([*found.index], [*found.columns]) == ([*expected.index], [*expected.columns])


def test_encoders_without_a_class_in_common_have_no_correlation(study):
    own = study.rows
    shifted = as_texts(own)
    there = (shifted.encoder == "clip") & shifted.class_id.notna()
    shifted.loc[there, "class_id"] += 100
    found = encoder_agreements(replace(study, rows=shifted), resamples=100)
    pairs = pd.concat([each.pairs for each in found])
    apart = pairs[((pairs["first"] == "clip") | (pairs.second == "clip")) & (pairs.quantity != "selected")]
    assert len(apart)
    assert apart.spearman.isna().all()


def test_what_is_said_of_a_group_is_found_without_a_look_at_the_others(study):
    comparison = compare(study)
    for group in study.groups():
        own = comparison.of(group)
        for name in ("arms", "differences", "planners", "gains"):
            pd.testing.assert_frame_equal(getattr(own, name), select(getattr(comparison, name), group))
    assert comparison.of({**study.groups()[0], "encoder": "none"}).arms.empty


def test_commands_are_gathered_and_jobs_looked_up_once(study, folder, monkeypatch):
    lacking = replace(study, rows=study.rows[(study.rows.subject != "random") | (study.rows.seed == 0)])
    expected = [f"encoder={group['encoder']}" for group in study.groups()]
    monkeypatch.setattr(StudyJob, "belongs", lambda *_: pytest.fail("looked at a job"))
    found = missing_arms(lacking).drop_duplicates("command").command.tolist()
    assert [next(part for part in each.split() if part.startswith("encoder=")) for each in found] == expected
    made = [study.once("commands", lambda: tuple(commands(study))) for _ in range(2)]
    assert made[0] is made[1]


def test_a_figure_of_very_many_groups_draws_some_and_says_so(study, monkeypatch):
    for module in (figure3a, figure3b, pareto_figure):
        monkeypatch.setattr(module, "GROUPS_DRAWN", 3)
    sizes = draw_sizes(sizes_frame(study))
    assert len(sizes.figure.axes[0].get_yticks()) == 3
    assert "the first 3 of 10, all of them in figure3a_data.csv" in sizes.figure.axes[0].get_xlabel()
    assert sizes.data.label.nunique() == 10
    assert "And 6 more" in sizes.alt
    bubbles = draw_bubbles(bubbles_frame(study))
    assert "named are the first 3 of 10" in bubbles.figure.axes[0].get_title("left")
    assert len(bubbles.figure.axes[0].collections[0].get_offsets()) == 10
    lost = draw_bubbles(bubbles_frame(study).assign(coverage=np.nan))
    assert lost.figure.axes[0].get_title("left").endswith("and 7 more")
    board = leaderboards(study)[0]
    frame = board.frame.assign(samples_per_second=10.0, bytes_per_sample=4.0)
    drawing = pareto_figure.draw_pareto(Board(group=board.group, frame=frame, level=0.95))
    assert "named are the 3 best of 5" in drawing.figure.axes[0].get_title("left")
    assert len(drawing.figure.axes[0].texts) == 3


def test_few_groups_are_drawn_as_before(study):
    assert "first" not in draw_sizes(sizes_frame(study)).figure.axes[0].get_xlabel()
    assert draw_bubbles(bubbles_frame(study)).figure.axes[0].get_title("left") == ""


def test_a_long_table_is_looked_at_once_for_its_alignment(monkeypatch):
    cells = pd.DataFrame({"Name": [f"n{i}" for i in range(200)], "Value": [str(i) for i in range(200)]})
    table = Table(name="t", caption="c", cells=cells, values=cells)
    asked = []
    real = table_module._is_number
    monkeypatch.setattr(table_module, "_is_number", lambda cell: asked.append(cell) or real(cell))
    text = table.to_latex()
    assert text.count(r"\begin{tabular}{lr}") == 5
    assert len(asked) == 1 + 200  # a name tells at once
    assert text == "\n".join(table._latex_part(start, last=start == 180) for start in range(0, 200, 45))


def test_latex_of_a_table_is_what_pandas_writes():
    cells = pd.DataFrame({"A & B": ["x_1", "50 %"], "n": ["1", "−2"]})
    table = Table(name="t", caption="c", cells=cells, values=cells)
    styled = pd.DataFrame({r"A \& B": [r"x\_1", r"50 \%"], "n": ["1", "$-$2"]}).style.hide(axis="index")
    assert styled.to_latex(hrules=True, column_format="lr").strip() in table.to_latex()


def test_a_sort_key_that_is_missing_is_left_out():
    cells, values = pd.DataFrame({"n": ["–", "1"]}), pd.DataFrame({"n": pd.array([None, 1], dtype="Int64")})
    rows = Table(name="t", caption="c", cells=cells, values=values, sort_by={"n": "n"}).html_rows()
    assert [row[0]["key"] for row in rows] == ["", 1]

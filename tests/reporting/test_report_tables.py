import json
import shutil
import sqlite3
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from synthetic import NAMES, write_study

from scar.job.rows import read_frame
from scar.reporting.axes import as_texts
from scar.reporting.comparison import compare
from scar.reporting.formats.table import PAGE, escape_latex
from scar.reporting.paper.paper_report import write_paper_table
from scar.reporting.paper.table1 import table1
from scar.reporting.paper.table2 import characteristics_table, completion_table, published_format_table
from scar.reporting.study_folder import load_study
from scar.reporting.summary import answer
from scar.reporting.tables.caveats import disagreement, failed_jobs, missing_cells, undefined_coverage
from scar.reporting.tables.characteristics import characteristics, summarize
from scar.reporting.tables.flags import flag_lines
from scar.reporting.tables.plan_table import need_text, plan_by_class, plan_table
from scar.reporting.write import write_report


@pytest.fixture(scope="module")
def comparison(study):
    return compare(study)


def raw(folder):
    """All rows as they lie on the disk, read without the project's code."""
    frame = pd.concat([read_frame(file) for file in folder.glob("jobs/*/rows.parquet")])
    return frame.drop_duplicates(["stage", "subject", "fraction", "seed", "metric", "estimator", "class_id", "factor"])


def test_completion_table_equals_a_recount_of_the_raw_rows(study_folder, comparison):
    for metric in ("accuracy", "balanced_accuracy", "macro_f1"):
        table = completion_table(comparison, metric=metric)
        rows = raw(study_folder)
        rows = rows[(rows.stage == "evaluation") & (rows.metric == metric)]
        for line in table.values.to_dict("records"):
            for arm in ("scar", "random", "class_average"):
                own = rows[(rows.subject == arm) & (rows.fraction == line["fraction"])]
                assert line[arm] == pytest.approx(own.value.mean())
                assert line[f"{arm}_spread"] == pytest.approx(np.ptp(own.value))
            assert line["primary"] == pytest.approx(rows[rows.subject == "primary"].value.mean())
            gap = line["scar"] - line["random"]
            assert line["scar_minus_random"] == pytest.approx(gap)
            assert line["scar_minus_random_low"] < gap < line["scar_minus_random_high"]


def test_cells_show_the_numbers_of_the_values(comparison):
    table = completion_table(comparison)
    assert list(table.cells.Budget) == ["5 %", "10 %", "25 %"]
    for cell, value in zip(table.cells["SCAR"], table.values["scar"], strict=True):
        assert cell.startswith(f"{100 * value:.1f} [")
    assert set(table.sort_by.values()) <= set(table.values.columns)


def test_a_planted_difference_is_marked_and_a_null_one_is_not(tmp_path):
    gain = {"scar": 0.09, "random": 0.03, "class_average": 0.09}
    study = load_study(write_study(tmp_path / "s", seeds=8, n_test=1500, gain=gain))
    comparison = compare(study)
    table = completion_table(comparison)
    assert table.cells["SCAR − random"].str.contains(r"\*").all()
    assert not table.cells["SCAR − class average"].str.contains(r"\*").any()
    lines = answer(study, comparison, study.groups()[0]).benefit
    assert any(line.startswith("SCAR against random, 3 comparisons") and ": better: +" in line for line in lines)
    assert any("against class average" in line and ": no difference larger than 0.5 points: " in line for line in lines)
    assert table.cells["SCAR − class average"].str.contains("≈").any()
    assert any("≈ no difference larger than 0.5 points (95 %" in note for note in table.notes)
    (strict,) = {
        compare(study, margin=1e-4)
        .differences.query("second == 'class_average' and metric == 'accuracy'")
        .verdict.iloc[-1]
    }
    assert strict == "cannot tell"


def test_holm_runs_over_the_strategy_comparisons_of_a_metric(comparison):
    own = comparison.differences
    own = own[(own.metric == "accuracy") & (own.second != "primary")]
    assert len(own) == 6
    smallest = own.p_value.min()
    assert own.p_holm[own.p_value.idxmin()] == pytest.approx(min(1, 6 * smallest))
    gains = comparison.differences[comparison.differences.second == "primary"]
    assert gains.p_holm.isna().all()


def test_two_budgets_are_not_averaged_in_silence(comparison):
    with pytest.raises(ValueError, match="'fraction'"):
        completion_table(comparison, by=("dataset", "encoder", "modality", "regime"))


def test_two_regimes_are_not_averaged_in_silence(tmp_path):
    groups = [("digits", "pixels", "image", regime) for regime in ("natural", "long_tailed")]
    study = load_study(write_study(tmp_path / "s", seeds=2, groups=groups))
    with pytest.raises(ValueError, match=r"'regime' .*long_tailed, natural"):
        completion_table(compare(study), by=("dataset", "encoder", "modality", "fraction"))
    sizes = study.rows[(study.rows.metric == "foundation_size") & (study.rows.subject == "total")]
    with pytest.raises(ValueError, match="'estimator'"):
        summarize(sizes, ["dataset", "encoder", "modality", "regime"])
    assert len(completion_table(compare(study)).cells) == 6


def test_constant_arms_are_marked(tmp_path):
    study = load_study(write_study(tmp_path / "s", seeds=2, constant=(("random", 1),)))
    comparison = compare(study)
    table = completion_table(comparison)
    assert table.cells["Random"].str.contains("†").all()
    assert not table.cells["SCAR"].str.contains("†").any()
    assert any("†" in note for note in table.notes)
    assert any("one class only" in line for _, line in flag_lines(study.rows, ["heldout"]))


def test_missing_cells_come_with_a_command(tmp_path):
    folder = write_study(tmp_path / "s", seeds=2, strategies=("scar", "random"))
    shutil.rmtree(next(folder.glob("jobs/*-1-random")))
    study = load_study(folder)
    found = {command: what for what, command in missing_cells(study)}
    common = "scar -m study=s dataset=fashion_mnist encoder=efficientnet_lite0 regime=long_tailed"
    assert set(found) == {f"{common} completion=random seed=1 subsets=quick"}
    for job in folder.glob("jobs/*-random"):
        shutil.rmtree(job)
    assert missing_cells(load_study(folder)) == []  # nobody asked for a baseline


def test_a_strategy_that_one_group_lacks_is_missing_there_alone(tmp_path):
    groups = [(name, "pixels", "image", "natural") for name in ("one", "two")]
    folder = write_study(tmp_path / "s", seeds=2, groups=groups, strategies=("scar", "random"))
    for job in folder.glob("jobs/two-*-random"):
        shutil.rmtree(job)
    table = completion_table(compare(load_study(folder)))
    lacks = table.values.dataset == "two"
    for column in ("Random", "SCAR − random"):
        assert ((table.cells[column] == "missing") == lacks).all()


def test_failed_jobs_are_listed_with_their_error(tmp_path):
    folder = write_study(tmp_path / "s", seeds=1)
    status = next(folder.glob("jobs/*-0-random/status.json"))
    status.write_text(json.dumps({"status": "failed", "error": "MemoryError: no\ntrace", "overrides": ["seed=0"]}))
    ((name, state, command),) = failed_jobs(load_study(folder))
    assert name.endswith("-0-random")
    assert (state, command) == ("failed: MemoryError: no", "scar seed=0")


def test_one_job_alone_makes_tables(tmp_path):
    study = load_study(write_study(tmp_path / "s", seeds=1, strategies=("scar",)))
    table = completion_table(compare(study))
    assert not [column for column in table.cells if "andom" in column or "SCAR − " in column]
    assert len(table1(study).cells) == len(characteristics_table(study).cells) == 1


def test_class_names_not_numbers(study):
    plan = plan_by_class(study.rows, seed=0, estimator="heldout")
    assert list(plan.class_name) == list(NAMES[:4])
    table = plan_table(plan, group=study.groups()[0], seed=0, estimator="held-out")
    assert set(table.cells["Class"]) == set(NAMES[:4])
    assert table.cells[table.cells["Class"] == NAMES[0]]["Enough"].item() == "met"


def test_plan_by_class_equals_the_raw_rows(study_folder, study):
    plan = plan_by_class(study.rows, seed=2, estimator="heldout", fraction=0.1).set_index("class_name")
    rows = raw(study_folder)
    rows = rows[rows.seed == 2]
    added = rows[(rows.metric == "added") & (rows.subject == "scar") & (rows.fraction == 0.1)]
    assert plan.added.to_dict() == added.set_index("class_name").value.to_dict()
    sizes = rows[(rows.metric == "class_size") & (rows.subject == "primary")]
    assert plan.primary.to_dict() == sizes.set_index("class_name").value.to_dict()


def test_a_single_seed_has_the_interval_of_its_test_items_and_no_tests(tmp_path):
    study = load_study(write_study(tmp_path / "s", seeds=1, n_test=400))
    comparison = compare(study)
    (arm,) = comparison.arms[
        (comparison.arms.subject == "primary") & (comparison.arms.metric == "accuracy")
    ].itertuples()
    wilson = binomtest(round(400 * arm.value), 400).proportion_ci(0.95, method="wilson")
    assert (arm.low, arm.high) == pytest.approx((wilson.low, wilson.high), abs=1e-3)
    assert comparison.differences.p_value.isna().all()
    assert comparison.arms[comparison.arms.metric == "worst_class_accuracy"].low.isna().all()
    assert any("One seed: 95 % intervals" in note for note in completion_table(comparison).notes)


def test_an_unknown_seed_is_refused(study):
    with pytest.raises(ValueError, match=r"seed=9.*\[0, 1, 2\]"):
        plan_by_class(study.rows, seed=9, estimator="heldout")


def test_set_level_characteristics_take_the_driver_and_say_met(tmp_path):
    study = load_study(write_study(tmp_path / "s", seeds=2, met=("heldout",)))
    found = characteristics(study)
    assert found.estimator.item() == "heldout"
    found["estimator"] = "changed"  # what tables share is computed once, and no table can change it for another
    assert characteristics(study).estimator.item() == "heldout"
    assert characteristics_table(study).cells["Foundation"].item() == "met"
    assert "Reference" not in characteristics_table(study, "reference").cells["Foundation"].item()


def test_undefined_coverage_says_which_class_where_and_why(study):
    lines = undefined_coverage(study.rows)
    assert lines
    assert all("it needs 30 rightly classified samples" in line for line in lines)
    boot = next(line for line in lines if line.startswith("Pullover"))
    assert "1/10" in boot
    low = min(int(v) for v in boot.split("has ")[1].split(" there")[0].split(" to "))
    assert low < 30


def test_our_rows_in_the_published_format(study, study_folder):
    table = published_format_table(study)
    rows = raw(study_folder)
    own = rows[(rows.metric == "accuracy") & (rows.subject == "scar") & (rows.fraction == 0.25)].value
    assert table.cells["SCAR"].item() == f"{100 * own.mean():.2f} ± {100 * np.ptp(own):.2f}"
    assert table.cells["Source"].item() == "ours"


def test_published_rows_stand_beside_ours_where_they_match(tmp_path):
    study = load_study(write_study(tmp_path / "s", seeds=2, groups=[("cifar10", "resnet", "image", "natural")]))
    table = published_format_table(study)
    assert list(table.cells["Source"]) == ["ours", "published"]
    assert table.cells["SCAR"].iloc[1] == "91.54 ± 0.13"


def test_markdown_holds_every_cell(comparison):
    table = completion_table(comparison)
    lines = [line for line in table.to_markdown().splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(table.cells)
    assert [c.strip() for c in lines[2].strip("|").split("|")] == list(table.cells.iloc[0])


def test_latex_has_booktabs_rules_and_one_row_per_line(comparison):
    table = completion_table(comparison)
    source = table.to_latex()
    for part in (r"\begin{table*}", r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}", r"\end{table*}"):
        assert source.count(part) == 1
    body = source.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == len(table.cells)
    assert all(line.count(" & ") == len(table.cells.columns) - 1 for line in body)
    assert source.isascii()


def test_a_table_longer_than_a_page_is_continued(comparison):
    table = completion_table(comparison)
    rows = [table.cells.iloc[index % 3] for index in range(2 * PAGE + 1)]
    source = replace(table, cells=pd.DataFrame(rows), values=pd.DataFrame(rows)).to_latex()
    assert source.count(r"\begin{table*}") == 3
    assert source.count("(continued)") == 2
    assert source.count(r"\label{") == source.count(r"\parbox") == 1
    assert source.count("Fashion-MNIST") == len(rows)


def test_latex_escapes_what_it_would_misread():
    assert escape_latex("Bag & purse_100% [−1]*") == r"Bag \& purse\_100\% {[}$-$1{]}{*}"


def test_set_level_table_equals_a_recount_of_the_raw_rows(study_folder, study):
    line = characteristics(study).iloc[0]
    sql = "select metric, avg(value) from (select distinct seed, metric, subject, value from rows where {}) group by metric"
    with sqlite3.connect(":memory:") as database:
        frames = [read_frame(file) for file in study_folder.glob("jobs/*/rows.parquet")]
        pd.concat(frames).to_sql("rows", database, index=False)
        driven = dict(database.execute(sql.format("stage = 'dataset' and estimator = 'heldout'")).fetchall())
        sizes = dict(database.execute(sql.format("stage = 'dataset' and metric like 'n_%'")).fetchall())
        needed = "metric = 'foundation_size' and estimator = 'heldout' and subject = 'total'"
        ((_, foundation),) = database.execute(sql.format(needed)).fetchall()
        grown = "metric = 'extension_size' and subject = 'scar' and fraction = 0.25"
        ((_, extended),) = database.execute(sql.format(grown)).fetchall()
    assert {m: line[m] for m in driven} == pytest.approx(driven)
    assert {m: line[m] for m in ("n_total", "n_primary", "n_reserve")} == pytest.approx(
        {m: sizes[m] for m in ("n_total", "n_primary", "n_reserve")}
    )
    assert (line.foundation, line.extended) == pytest.approx((foundation, extended))
    shown = characteristics_table(study).cells.iloc[0]
    assert shown.Foundation.startswith(f"{foundation:,.0f}".replace(",", "\u202f"))
    assert table1(study).cells.Train.item() == "4\u202f000"


@pytest.mark.slow
def test_every_table_compiles_as_latex(study, tmp_path):
    """Fails where LaTeX is not installed: `make tools` installs it."""
    paths = write_report(study.folders[0], output=tmp_path, resamples=100, formats=[])
    paths |= write_paper_table(2, tmp_path.parent, name=tmp_path.name)
    named = sorted(name for name in paths if name.endswith(".tex"))
    assert {"table1.tex", "table2a.tex", "table2b.tex", "indicators.tex", "paper_table2.tex"} <= set(named)
    pages = "".join(rf"\input{{{name}}}\clearpage" + "\n" for name in named)
    (tmp_path / "main.tex").write_text(
        r"\documentclass[twocolumn]{article}\usepackage{booktabs}\usepackage{graphicx}"
        rf"\begin{{document}}{pages}\end{{document}}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-1500:]
    assert (tmp_path / "main.pdf").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (4105.4, 614, np.inf, "4\u202f105 [614, ∞]"),
        (0.0, 0.0, 0.0, "met"),
        (np.nan, np.nan, np.nan, "undefined"),
        (np.inf, 10, np.inf, "unreachable [10, ∞]"),
    ],
)
def test_sizes_say_what_a_bare_number_would_hide(value, low, high, text):
    assert need_text({"need": value, "need_low": low, "need_high": high}) == text


def test_flags_with_numbers_or_classes_come_as_one_line(study):
    rows = as_texts(study.rows)
    needs = rows.index[(rows.metric == "need") & (rows.estimator == "heldout") & (rows.subject == "primary")]
    rows.loc[needs[:2], "flag"] = ["extrapolated=7.8", "extrapolated=12.3"]
    budgets = rows.index[(rows.metric == "budget") & (rows.subject == "scar")]
    rows.loc[budgets, "flag"] = "unseen:1;met"
    lines = [line for _, line in flag_lines(rows, ["heldout"])]
    assert sum("7.8 to 12.3" in line for line in lines) == 1
    unseen = next(line for line in lines if "absent from the primary set" in line)
    assert "Trouser" in unseen
    assert "at 5 %, 10 % and 25 %" in unseen


def test_where_the_set_needs_more_and_no_class_does_the_caveats_say_so(tmp_path):
    study = load_study(write_study(tmp_path / "s", seeds=2))
    rows = study.rows
    assert disagreement(rows, "heldout") == ""
    needs = (rows.metric == "need") & (rows.estimator == "heldout") & (rows.subject == "primary")
    rows.loc[needs, "value"] = 0.0
    assert "yet no class lacks any by itself: a plan by need adds nothing" in disagreement(rows, "heldout")
    assert disagreement(rows, "heldout").endswith("(2 of 2 seeds)")
    assert "seeds" not in disagreement(rows, "heldout", seed=0)
    rows.loc[needs & (rows.class_id == 0), "value"] = np.nan  # of one class too little is known: it is not met
    assert disagreement(rows, "heldout") == ""

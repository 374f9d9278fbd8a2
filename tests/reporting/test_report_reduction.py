"""The tables of the TL;DR paper with ours beside: published facts, missing cells, jobs that fill each other's cells."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import browser

from scar.commands.report import ReportConfig, ReportPaths, write
from scar.reporting.reduction.job_results import Results, base_rows, load_reduction
from scar.reporting.reduction.reduction_figure import draw_curves, draw_scores
from scar.reporting.reduction.reduction_report import reduction_tables, write_reduction
from scar.reporting.reduction.reduction_rows import cell, published, published_value
from scar.reporting.reduction.results import RESULTS

ARMS = {"full": 0.5, "random": 0.2, "random_refined": 0.25, "reduced": 0.22, "reduced_refined": 0.3}
METRICS = ("tr_at_1", "tr_at_5", "tr_at_10", "ir_at_1", "ir_at_5", "ir_at_10", "zero_shot", "linear_probe")


def job(base: str = "b", *, shift: float = 0.0, also: str = "other") -> pd.DataFrame:
    """Rows of one job: arms, and two cases of Table 2b, of which one is its own setting."""
    records = []
    about = {"dataset": "captioned_scenes", "base": base, "override": ""}
    for seed in range(3):
        for arm, value in ARMS.items():
            one = about | {"kind": "arm", "table": "arms", "case": arm, "setting": base, "seed": seed}
            records += [one | {"metric": m, "value": value + shift + seed / 100} for m in METRICS]
            curve = one | {"kind": "curve", "metric": "recall"}
            records += [curve | {"table": str(steps), "value": value * steps / 100} for steps in (50, 100)]
            records += [one | {"kind": "budget", "table": "50 steps", "metric": "recall", "value": value}]
            extra = {"pairs": 100.0, "compression": 4.0, "ir_median_rank": 7.0, "tr_median_rank": 6.0}
            extra |= {"wall_seconds": 12.0, "cpu_seconds": 9.0, "pair_score": 0.4, "mismatches_kept": 0.2}
            extra |= {"image_scale": 0.8, "text_authenticity": 0.7}
            records += [one | {"metric": m, "value": v} for m, v in extra.items()]
        for case, setting in (("uniform", base), ("hard-sample", also)):
            one = about | {"kind": "case", "table": "2b", "case": case, "setting": setting, "seed": seed}
            one |= {"override": "reduction.keep=hard" if case == "hard-sample" else "reduction.keep=uniform"}
            records += [one | {"metric": "probe_image", "value": 0.6}, one | {"metric": "purity", "value": 0.4}]
    one = about | {"kind": "study", "table": "study", "case": "pair score", "setting": base, "seed": 0}
    return pd.DataFrame([*records, one | {"metric": "auroc", "value": 0.8}])


def table(rows: pd.DataFrame, number: str):
    return next(t for t in reduction_tables(rows) if t.name.split("_")[1] == f"table{number}")


def test_published_figures_are_those_of_the_paper():
    assert published_value("2b", "", "hard-sample", "tr_at_1") == 73.1
    assert published_value("2e", "", "full-scale baseline", "ir_at_1") == 54.0
    assert published_value("3", "MSCOCO; BLIP; zero-shot", "TL;DR-CC3M", "tr_at_1") == 48.7
    assert published_value("3", "Flickr30K; CLIP; fine-tuned", "CC3M", "ir_at_10") == 91.4
    assert published_value("5", "MSRVTT-1K; ViLT", "TL;DR-CC3M", "ir_median_rank") == 8.0
    assert published_value("6", "CLIP", "Rand-CC3M", "imagenet_r") == 62.3
    assert published_value("8", "YFCC15M", "TL;DR-YFCC15M", "cider") == 122.5
    assert np.isnan(published_value("2b", "", "k-center", "tr_at_1"))
    assert published("3").groupby(["group", "case"]).size().eq(6).all()
    sizes = {number: len(published(number)) for number in ("2a", "2b", "2c", "2d", "2e", "2f", "3", "5", "6", "8")}
    assert sizes == {"2a": 8, "2b": 8, "2c": 6, "2d": 8, "2e": 10, "2f": 10, "3": 144, "5": 36, "6": 27, "8": 81}


def test_the_paper_says_that_codebook_sampling_beats_random_by_3_points():
    gain = published_value("2a", "", "sampling", "tr_at_1") - published_value("2a", "", "random", "tr_at_1")
    assert gain == pytest.approx(3.2)


def test_ours_stand_beside_the_published_rows_and_missing_cells_say_what_they_need():
    shown = table(job(), "2b")
    lines = shown.cells.set_index("Case")
    assert lines.loc["uniform", "TR@1 published"] == "72.8"
    assert lines.loc["uniform", "TR@1 ours"].startswith("31.0 [")
    assert lines.loc["hard-sample", "TR@1 ours"] == "missing"
    assert lines.loc["hard-sample", "Probe, images"] == "60.0 [60.0, 60.0]"
    assert lines.loc["gradient-based", "Probe, images"] == "missing"
    assert any(
        "hard-sample" in note and "scar experiment=reduction reduction.keep=hard" in note for note in shown.notes
    )
    assert not any(note.startswith("uniform:") for note in shown.notes)


def test_another_job_of_the_study_fills_what_the_first_lacks():
    rows = pd.concat([job(), job("other", shift=0.1, also="b")], ignore_index=True)
    assert set(base_rows(rows).base) == {"b"}
    lines = table(rows, "2b").cells.set_index("Case")
    assert lines.loc["uniform", "TR@1 ours"].startswith("31.0")
    assert lines.loc["hard-sample", "TR@1 ours"].startswith("41.0")
    assert not any(note.startswith("hard-sample:") for note in table(rows, "2b").notes)


def test_the_job_in_the_middle_is_the_base_whatever_came_first():
    middle, left, right = job("m", also="l"), job("l", also="m"), job("r", also="m")
    more = middle[middle.case == "hard-sample"].assign(case="gradient-based", setting="r")
    assert set(base_rows(pd.concat([left, right, middle, more], ignore_index=True)).base) == {"m"}


def test_what_was_not_trained_is_told_once_and_by_its_reason():
    none = job()
    none = none[none.kind != "case"]
    assert table(none, "2b").notes[1:] == ("ours need reduction.tables=[2b] in the command of the study",)
    assert [note for note in table(job(), "2b").notes if "published size" in note] == [
        "gradient-based, large distance: of the published size; ours follow the number of pairs"
    ]


def test_the_tested_differences_stand_together_and_the_others_apart():
    about = {"second": "full", "value": -0.1, "low": -0.2, "high": 0.0, "p_equivalence": 0.9}
    frame = pd.DataFrame(
        [about | {"first": name, "metric": metric, "budget": budget, "value": -0.1 * budget, "p_holm": 0.02 if metric == "recall" else np.nan}
         for name in ("random", "reduced") for metric in ("recall", "tr_at_1") for budget in (0.25, 1.0)]
    )  # fmt: skip
    tested, others = [each for each in reduction_tables(job(), frame) if each.name.endswith("differences")]
    assert tested.cells.to_dict("records")[1] == {
        "Difference": "reduced − full", "At 25% of the steps": "−2.50", "After all steps": "−10.00",
        "Interval": "[−20.00, 0.00]", "p (Holm)": "0.02", "p (equivalent)": "0.9",
    }  # fmt: skip
    assert others.cells.Metric.tolist() == ["TR@1", "TR@1"]
    recall = frame[frame.metric == "recall"]
    assert [each.name for each in reduction_tables(job(), recall) if "differences" in each.name] == [tested.name]


def test_scar_is_shown_of_the_arms_that_it_was_measured_of_and_every_arm_is_explained():
    rows = job()
    rows = rows[~(rows.metric.str.startswith(("image_scale", "text_")) & (rows.case == "random"))]
    by_name = {each.name.removesuffix("_captioned_scenes"): each for each in reduction_tables(rows)}
    assert by_name["reduction_scar"].cells.Arm.tolist() == [name for name in ARMS if name != "random"]
    assert by_name["reduction_arms"].cells.columns[:3].tolist() == ["Arm", "Pairs", "TR@1"]
    assert "random_refined: random pairs with refined captions" in by_name["reduction_arms"].notes[1]


def test_the_component_ablation_takes_its_rows_from_the_arms():
    lines = table(job(), "2a").cells.set_index("Case")
    assert lines.loc["random", "TR@1 ours"].startswith("21.0")
    assert lines.loc["sampling and refining", "IR@1 ours"].startswith("31.0")
    assert lines.loc["sampling", "TR@1 published"] == "68.5"


def test_the_transfer_tables_have_published_rows_ours_and_what_is_missing():
    retrieval = table(job(), "3")
    own = retrieval.cells[retrieval.cells["Test set"] == "captioned_scenes"].set_index("Dataset")
    assert own.loc["all pairs", "TR@1"].startswith("51.0")
    coco = retrieval.cells[(retrieval.cells["Test set"] == "MSCOCO") & (retrieval.cells.Model == "ours")]
    assert (coco["TR@1"] == "missing").all()
    assert any("coco_captions" in note for note in retrieval.notes)
    assert table(job(), "5").cells.MdR.tolist()[-1] == "7.0"
    assert table(job(), "6").cells["ImNet-A"].tolist()[-1] == "missing"
    assert "12 s" in table(job(), "8").cells.Time.tolist()
    assert "65 h" in table(job(), "8").cells.Time.tolist()


def test_a_mean_over_seeds_has_students_interval():
    each = cell(job(), kind="arm", case="full", metric="tr_at_1")
    assert each.value == pytest.approx(0.51)
    assert each.high - each.value == pytest.approx(4.3027 * 0.01 / np.sqrt(3), rel=1e-4)
    assert each.seeds == 3
    assert np.isnan(cell(job(), case="nobody").value)


def test_the_figure_shows_both_distributions_and_the_planted_mismatches():
    rng = np.random.default_rng(0)
    scores = pd.DataFrame({"set": ["before"] * 80 + ["after"] * 20, "score": rng.normal(size=100), "mismatched": False})
    scores.loc[:9, "mismatched"] = True
    drawing = draw_scores(scores, title="scenes")
    assert drawing.data is not None
    assert drawing.data[["before", "after"]].sum().tolist() == pytest.approx([1, 1])
    assert drawing.data.mismatched.sum() == pytest.approx(10 / 80)
    assert "kept pairs" in drawing.alt


def test_the_curves_show_every_arm_over_steps():
    drawing = draw_curves(job(), title="scenes")
    assert drawing.data is not None
    assert drawing.data.steps.tolist() == [50, 100]
    assert drawing.data["full"].tolist() == pytest.approx([0.25, 0.5])
    assert drawing.alt.startswith("Mean recall at the last step: full 50.0")
    (budgets,) = [each for each in reduction_tables(job()) if each.name.startswith("reduction_budgets")]
    assert budgets.cells.set_index("Arm").loc["full", "50 steps"].startswith("50.0")


def test_no_two_of_twenty_arms_look_the_same():
    curves = job()[lambda rows: (rows.kind == "curve") & (rows.case == "random")]
    many = pd.concat([curves.assign(case=f"arm_{number}") for number in range(20)], ignore_index=True)
    lines = draw_curves(many, title="scenes").figure.axes[0].get_lines()
    looks = {(str(line.get_color()), str(line.get_marker()), line.get_linestyle()) for line in lines}
    assert len(looks) == len(lines) == 20


def test_the_report_of_a_study_reads_every_job(tmp_path):
    study = tmp_path / "reduction"
    for name, rows in (("one", job()), ("two", job("other", shift=0.1, also="b"))):
        (study / "jobs" / name).mkdir(parents=True)
        rows.to_parquet(study / "jobs" / name / RESULTS, index=False)
    assert len(load_reduction(study).rows) == 2 * len(job())
    paths = write(ReportConfig(study="reduction", paths=ReportPaths(output_dir=str(tmp_path)), output="quiet"))
    assert "41.0" in paths["reduction.md"].read_text()
    assert r"\begin{table*}" in paths["reduction.tex"].read_text()
    with pytest.raises(FileNotFoundError, match="run scar experiment=reduction"):
        load_reduction(tmp_path / "nothing")


def test_the_report_of_a_study_draws_the_formats_that_are_asked_for_and_refuses_what_it_takes_no_notice_of(tmp_path):
    (folder := tmp_path / "reduction" / "jobs" / "one").mkdir(parents=True)
    job().to_parquet(folder / RESULTS, index=False)
    about = {"study": "reduction", "paths": ReportPaths(output_dir=str(tmp_path)), "output": "quiet"}
    paths = write(ReportConfig(formats=["png", "pdf"], **about))
    assert {Path(name).suffix for name in paths} == {".md", ".tex", ".html", ".csv", ".png", ".pdf"}
    with pytest.raises(
        ValueError, match=r"level=0\.9 changes nothing in a report on study=reduction, which reduces pairs"
    ):
        write(ReportConfig(level=0.9, **about))


def test_findings_come_first_in_what_is_written(tmp_path):
    paths = write_reduction(tmp_path, Results(rows=job(), sentences=("It helped.",)))
    assert paths["reduction.md"].read_text().startswith("# Data reduction\n\n- It helped.\n")
    assert all(path.stat().st_size for path in paths.values())


CLAIMS = pd.DataFrame(
    [("Refined captions help", "confirmed", "by 2 points"), ("Video", "not testable here", "no <videos>")],
    columns=["claim", "verdict", "why"],
)
EFFECTS = pd.DataFrame(
    [{"table": "2b", "case": "hard-sample", "value": -0.05, "low": -0.07, "high": -0.03, "p_holm": 0.01, "p_equivalence": 1.0}]
)  # fmt: skip


def whole(rows: pd.DataFrame) -> Results:
    """What a job leaves, with every part."""
    rng = np.random.default_rng(0)
    scores = pd.DataFrame({"set": ["before"] * 80 + ["after"] * 20, "score": rng.normal(size=100), "mismatched": False})
    names = ["reduced", "random"]
    differences = pd.DataFrame(
        [{"first": a, "second": "full", "metric": "recall", "budget": 1.0, "value": -0.1, "low": -0.2, "high": 0.0,
          "p_value": 0.01, "seeds": 3, "flag": "", "p_holm": 0.02, "p_equivalence": 0.9} for a in names]
    )  # fmt: skip
    return Results(
        rows=rows, differences=differences, ablations=EFFECTS, scores=scores, claims=CLAIMS, sentences=("It helped.",)
    )


def test_the_page_has_every_claim_with_its_verdict_and_every_table_and_figure(tmp_path):
    page = write_reduction(tmp_path, whole(job()), name="pairs <b>", formats=[])["reduction.html"].read_text()
    assert "<dt>Refined captions help</dt><dd><strong>confirmed</strong>: by 2 points</dd>" in page
    assert "no &lt;videos&gt;" in page
    assert "<h1>pairs &lt;b&gt;</h1>" in page
    assert all(f'id="table-{each.name}-all"' in page for each in reduction_tables(job()))
    assert all(f'id="plot-{name}"' in page for name in ("reduction_curves", "reduction_figure7"))
    assert "5 training sets, 3 seeds" in page
    folded = page.index("More tables")
    shown = [number for number in "abcdef" if page.index(f'id="table-reduction_table2{number}_') < folded]
    assert shown == ["a", "b"]


def test_a_trained_case_of_an_ablation_stands_beside_the_published_row_with_its_difference():
    rows = job()
    about = {
        "dataset": "captioned_scenes",
        "base": "b",
        "kind": "ablation",
        "table": "2b",
        "case": "hard-sample",
        "setting": "other",
    }
    more = pd.DataFrame([about | {"override": "", "seed": s, "metric": "recall", "value": 0.4} for s in range(3)])
    (shown,) = [
        each
        for each in reduction_tables(pd.concat([rows, more], ignore_index=True), None, EFFECTS)
        if each.name.startswith("reduction_table2b")
    ]
    lines = shown.cells.set_index("Case")
    assert lines.loc["hard-sample", "Mean recall"].startswith("40.0")
    assert lines.loc["hard-sample", "Recall, to the study's own"] == "−5.00 [−7.00, −3.00]"
    assert lines.loc["uniform", "Recall, to the study's own"] == "–"


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_loads_without_errors_or_requests_and_fits(tmp_path, width, dark):
    page = write_reduction(tmp_path / "study", whole(job()), formats=[])["reduction.html"]
    with browser(tmp_path) as tab:
        tab.open(page, width=width, dark=dark)
        assert tab.complaints() == []
        assert tab.requests() == []
        tab.run("for (const each of document.querySelectorAll('details')) each.open = true")
        assert tab.run("document.scrollingElement.scrollWidth") <= width
        tab.run("document.querySelector('th button').click()")
        assert tab.run("document.getElementById('status').textContent").startswith("Sorted by")


@pytest.mark.slow
def test_axe_finds_nothing_serious_in_the_page(tmp_path):
    page = write_reduction(tmp_path / "study", whole(job()), formats=[])["reduction.html"]
    with browser(tmp_path) as tab:
        tab.open(page, width=1280)
        assert tab.serious() == []

"""The table of planners: what won is named, what did not is not, and a null result has its power."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text
from scipy import stats
from synthetic import write_study

from scar.evaluation.hypotheses import holm
from scar.evaluation.scores import SCORES
from scar.reporting.comparison import compare
from scar.reporting.figures.planners_figure import draw_planners
from scar.reporting.figures.style import settle, styled
from scar.reporting.group_scores import BASELINES
from scar.reporting.paper.table2 import completion_table
from scar.reporting.study_folder import load_study
from scar.reporting.tables.planners_table import findings, has_planners, planner_tables, planners_markdown
from scar.reporting.text import points
from scar.reporting.write import write_report

STRATEGIES = ("scar", "random", "class_average", "water_filling", "oracle")
GAIN = {"scar": 0.04, "random": 0.04, "class_average": 0.04, "water_filling": 0.10, "oracle": 0.14}
GROUPS = tuple(("glosses", "llama", "text", regime) for regime in ("natural", "long_tailed"))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planners") / "s"
    return load_study(write_study(folder, seeds=6, groups=GROUPS, strategies=STRATEGIES, gain=GAIN, n_test=800))


@pytest.fixture(scope="module")
def comparison(study):
    return compare(study)


def test_every_planner_is_compared_with_both_baselines_at_every_budget(study, comparison):
    frame = comparison.planners
    pairs = {(f, s) for f in STRATEGIES for s in BASELINES if f != s} - {("random", "class_average")}
    for _, own in frame.groupby(["regime", "fraction", "metric"]):
        assert set(zip(own["first"], own.second, strict=True)) == pairs
    assert set(frame.metric) == set(SCORES)
    rows = study.rows
    scores = rows[(rows.stage == "evaluation") & (rows.fraction == 0.25) & (rows.regime == "natural")]
    for metric in ("accuracy", "macro_f1", "worst_class_accuracy"):
        means = scores[scores.metric == metric].groupby("subject").value.mean()
        one = frame.query(
            "regime == 'natural' and fraction == 0.25 and metric == @metric and first == 'water_filling' and second == 'random'"
        )
        assert one.value.iloc[0] == pytest.approx(means["water_filling"] - means["random"], abs=1e-9)


def test_p_values_are_corrected_over_the_whole_table_of_a_metric(comparison):
    for _, own in comparison.planners.groupby("metric"):
        np.testing.assert_allclose(own.p_holm, holm(own.p_value.to_numpy()))
    assert (comparison.planners.power.dropna().between(0, 1)).all()
    methods = comparison.planners.groupby("metric").method.unique().map(list).to_dict()
    assert {metric: own == ["crossed"] for metric, own in methods.items()} == dict.fromkeys(SCORES, True)


def test_two_baselines_are_compared_once_and_read_both_ways(study, comparison):
    baselines = comparison.planners[comparison.planners["first"].isin(BASELINES)]
    assert set(zip(baselines["first"], baselines.second, strict=True)) == {("class_average", "random")}
    row = baselines[(baselines.metric == "accuracy") & (baselines.regime == "natural")].iloc[-1]
    arms = comparison.arms.copy()
    arms.loc[arms.subject == "random", "value"] = 0.999  # now random is named the best
    line = findings(study, replace(comparison, arms=arms), metrics=("accuracy",))[0]
    assert f"{points(-row.value)} [{points(-row.high_simultaneous)}, {points(-row.low_simultaneous)}]" in line


def test_the_intervals_of_the_best_hold_for_all_planners_at_once_and_say_so(study, comparison):
    for frame in (comparison.planners, comparison.arms.dropna(subset=["low_simultaneous"])):
        assert (frame.low_simultaneous <= frame.low).all()
        assert (frame.high_simultaneous >= frame.high).all()
    row = comparison.planners.query(
        "regime == 'natural' and fraction == 0.25 and metric == 'accuracy' and first == 'water_filling' and second == 'random'"
    ).iloc[0]
    line = findings(study, comparison, metrics=("accuracy",))[0]
    assert (
        f"{points(row.value)} [{points(row.low_simultaneous)}, {points(row.high_simultaneous)}] points over random"
        in line
    )
    assert "hold for all planners at once" in line


def test_jobs_without_predictions_have_intervals_over_seeds_alone_and_say_so(tmp_path):
    folder = write_study(tmp_path / "s", seeds=5, strategies=STRATEGIES, gain=GAIN, groups=GROUPS[:1])
    for file in folder.glob("jobs/*/predictions.npz"):
        file.unlink()
    study = load_study(folder)
    comparison = compare(study)
    differences = comparison.differences
    assert set(differences.method) == {"seeds"}
    assert set(differences.flag) <= {"no_predictions", "constant"}
    assert set(differences[differences.metric == "macro_f1"].flag) == {"no_predictions"}
    row = differences.query("metric == 'macro_f1' and second == 'random' and fraction == 0.25").iloc[0]
    rows = study.rows[(study.rows.metric == "macro_f1") & (study.rows.fraction == 0.25)]
    by_seed = rows.pivot_table(index="seed", columns="subject", values="value")
    expected = stats.ttest_rel(by_seed["scar"], by_seed["random"])
    assert (row.low, row.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert "seeds alone" in " ".join(completion_table(comparison).notes)


def test_the_worst_class_has_no_interval_from_fewer_than_five_seeds(tmp_path):
    folder = write_study(tmp_path / "s", seeds=4, strategies=STRATEGIES, gain=GAIN, groups=GROUPS[:1])
    comparison = compare(load_study(folder))
    worst = comparison.planners[comparison.planners.metric == "worst_class_accuracy"]
    assert set(worst.flag) == {"few_seeds"}
    assert (
        worst[["low", "high", "p_value", "p_holm", "p_equivalence", "power", "low_simultaneous"]].isna().all(axis=None)
    )
    assert set(worst.verdict) == {"cannot tell"}
    assert comparison.planners[comparison.planners.metric == "macro_f1"].low.notna().all()


def test_the_planted_winner_is_named_and_the_oracle_never_is(study, comparison):
    lines = findings(study, comparison, metrics=("accuracy",))
    assert len(lines) == len(GROUPS)
    for line in lines:
        assert line.count("best is") == line.count("best is water filling") == 1
        assert "over random (p" in line
        assert "after Holm" in line
        assert "oracle: +" in line


def test_equal_planners_of_a_small_study_cannot_be_told_apart(tmp_path):
    gain = dict.fromkeys(STRATEGIES, 0.05)
    folder = write_study(tmp_path / "s", seeds=4, strategies=STRATEGIES, gain=gain, groups=GROUPS[:1])
    study = load_study(folder)
    (line,) = findings(study, compare(study, margin=1e-4), metrics=("accuracy",))
    assert "cannot tell, p = " in line
    assert "power for one point" in line


def test_equal_planners_are_called_equivalent_where_the_data_say_so(tmp_path):
    gain = dict.fromkeys(STRATEGIES, 0.05)
    folder = write_study(tmp_path / "s", seeds=4, strategies=STRATEGIES, gain=gain, groups=GROUPS[:1])
    study = load_study(folder)
    comparison = compare(study, margin=0.2)
    assert set(comparison.planners.query("metric == 'accuracy'").verdict) == {"equivalent"}
    (line,) = findings(study, comparison, metrics=("accuracy",))
    assert "no difference larger than 20 points, p " in line


def test_tables_have_a_column_per_regime_and_mark_what_is_significant(study, comparison):
    tables = {table.name: table for table in planner_tables(study, comparison)}
    assert len(tables) == len(SCORES) * len(BASELINES)
    cells = tables["planners_accuracy_random"].cells.set_index("Planner")
    assert list(cells.columns) == ["natural", "long-tailed · same pool"]
    assert "*" in cells.loc["water filling", "natural"]
    assert "random" not in cells.index
    text = planners_markdown(study, comparison)
    assert text.count("Power to have seen one point") == len(SCORES) * len(BASELINES)


def test_a_study_of_the_three_strategies_of_the_paper_has_no_such_table(tmp_path):
    study = load_study(write_study(tmp_path / "s", seeds=2))
    comparison = compare(study)
    assert not has_planners(comparison)
    assert planner_tables(study, comparison) == []


def test_the_figure_says_what_it_shows(comparison):
    drawing = draw_planners(comparison)
    assert "water filling" in drawing.alt or "oracle" in drawing.alt
    assert len(drawing.render("png")) > 10_000


def test_what_stands_in_its_cells_can_be_read_in_either_theme(comparison):
    drawing = draw_planners(comparison)
    cells = [text for axes in drawing.figure.axes for text in axes.texts]
    page = drawing.inline_svg()
    assert cells
    for cell in cells:  # colours that a page's theme does not change, like those of the cells
        assert f"fill: {cell.get_color()}" in page


def test_the_titles_of_its_panels_do_not_touch_with_one_regime(comparison):
    few = comparison.planners[comparison.planners.regime == comparison.planners.regime.iloc[0]]
    figure = draw_planners(replace(comparison, planners=few)).figure
    with styled():
        settle(figure)
    titles = figure.findobj(lambda each: isinstance(each, Text) and "over random" in each.get_text())
    left, right = sorted((each.get_window_extent() for each in titles), key=lambda each: each.x0)
    assert left.x1 < right.x0
    assert right.x1 <= figure.bbox.x1


def test_the_report_writes_the_tables(study, tmp_path):
    files = write_report(study.folders[0], output=tmp_path, resamples=50, details=0, formats=())
    assert {"planners.csv", "planners.md", "planners_accuracy_random.csv"} <= set(files)
    assert "best is water filling" in (tmp_path / "report.txt").read_text()

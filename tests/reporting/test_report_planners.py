"""The table of planners: what won is named, what did not is not, and a null result has its power."""

import numpy as np
import pytest
from synthetic import write_study

from scar.reporting.comparison import BASELINES, compare
from scar.reporting.planners_figure import draw_planners
from scar.reporting.planners_table import findings, has_planners, planner_tables, planners_markdown
from scar.reporting.study import load_study
from scar.reporting.write import write_report
from scar.statistics import holm

STRATEGIES = ("scar", "random", "class_average", "water_filling", "oracle")
GAIN = {"scar": 0.04, "random": 0.04, "class_average": 0.04, "water_filling": 0.10, "oracle": 0.14}
GROUPS = tuple(("glosses", "llama", "text", regime) for regime in ("natural", "long_tailed"))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planners") / "s"
    return load_study(write_study(folder, seeds=6, groups=GROUPS, strategies=STRATEGIES, gain=GAIN, n_test=800))


@pytest.fixture(scope="module")
def comparison(study):
    return compare(study, resamples=300)


def test_every_planner_is_compared_with_both_baselines_at_every_budget(study, comparison):
    frame = comparison.planners
    pairs = {(f, s) for f in STRATEGIES for s in BASELINES if f != s}
    for _, own in frame.groupby(["regime", "fraction", "metric"]):
        assert set(zip(own["first"], own.second, strict=True)) == pairs
    assert set(frame.metric) == {"accuracy", "balanced_accuracy", "worst_class_accuracy", "macro_f1"}
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
    assert methods["worst_class_accuracy"] == ["nadeau-bengio"]
    assert methods["macro_f1"] == methods["accuracy"] == ["bootstrap"]


def test_the_planted_winner_is_named_and_the_oracle_never_is(study, comparison):
    lines = findings(study, comparison, metrics=("accuracy",))
    assert len(lines) == len(GROUPS)
    for line in lines:
        assert "best is water filling" in line
        assert "over random (p" in line
        assert "after Holm" in line
        assert "oracle: +" in line


def test_equal_planners_are_called_not_significant_with_the_power(tmp_path):
    gain = dict.fromkeys(STRATEGIES, 0.05)
    folder = write_study(tmp_path / "s", seeds=4, strategies=STRATEGIES, gain=gain, groups=GROUPS[:1])
    study = load_study(folder)
    (line,) = findings(study, compare(study, resamples=200), metrics=("accuracy",))
    assert "not significant" in line
    assert "power for one point" in line


def test_tables_have_a_column_per_regime_and_mark_what_is_significant(study, comparison):
    tables = {table.name: table for table in planner_tables(study, comparison)}
    assert len(tables) == 8
    cells = tables["planners_accuracy_random"].cells.set_index("Planner")
    assert list(cells.columns) == ["natural", "long-tailed"]
    assert "*" in cells.loc["water filling", "natural"]
    assert "random" not in cells.index
    text = planners_markdown(study, comparison)
    assert text.count("Power to have seen one point") == 8


def test_a_study_of_the_three_strategies_of_the_paper_has_no_such_table(tmp_path):
    study = load_study(write_study(tmp_path / "s", seeds=2))
    comparison = compare(study, resamples=50)
    assert not has_planners(comparison)
    assert planner_tables(study, comparison) == []


def test_the_figure_says_what_it_shows(comparison):
    drawing = draw_planners(comparison)
    assert "water filling" in drawing.alt or "oracle" in drawing.alt
    assert len(drawing.render("png")) > 10_000


def test_the_report_writes_the_tables(study, tmp_path):
    files = write_report(study.folders[0], output=tmp_path, resamples=50, details=0, formats=())
    assert {"planners.csv", "planners.md", "planners_accuracy_random.csv"} <= set(files)
    assert "best is water filling" in (tmp_path / "report.txt").read_text()

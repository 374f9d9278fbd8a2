"""The study of forecasts: its scores with planted answers, and one cell on the digits."""

import numpy as np
import pandas as pd
import pytest

from scar.completion.class_curves import ClassCurves
from scar.completion.forecast_settings import SCORES
from scar.store.store import Store
from scar.studies.forecast.cases import FRACTIONS, PLANNERS
from scar.studies.forecast.class_curve_gains import curve_gains
from scar.studies.forecast.forecast_study import ForecastStudySettings, run_study
from scar.studies.forecast.score import cluster_interval, interval_score, score_table


def test_an_interval_score_is_the_width_plus_twenty_times_the_miss():
    found = interval_score(np.array([0.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0]), np.array([0.5, 1.1, -0.2]))
    assert found == pytest.approx([1.0, 3.0, 5.0])


def planted():
    """Two data sets and seeds; forecasts hold in the first, are refused in half of the second, and fail in the rest."""
    frame = pd.DataFrame({"dataset": np.repeat(["a", "b"], 20), "seed": np.tile([0, 1], 20), "regime": "natural"})
    frame["score"], frame["gain"], frame["forecast"] = "accuracy", 0.02, 0.03
    frame["low"], frame["high"] = 0.01, np.repeat([0.05, 0.015], 20)
    frame["refused"] = np.where((frame.dataset == "b") & (frame.index % 4 < 2), "noisy_labels", "")
    frame["curve"], frame["curve_low"], frame["curve_high"] = 0.02, 0.019, 0.021
    frame["reached"], frame["level_low"], frame["level_high"] = 0.8, 0.7, 0.9
    return frame


def test_a_table_counts_what_held_and_what_was_refused():
    table = score_table(planted()).set_index(["dataset", "regime"]).loc[("every", "natural")]
    assert table.cases == 40
    assert table.refused == pytest.approx(0.25)
    assert table.held == pytest.approx(20 / 30)
    assert table.held_low < 20 / 30 < table.held_high
    assert (table.curve_held, table.level_held) == (1.0, 1.0)
    assert table.bias == pytest.approx(1.0)
    assert table.curve_bias == pytest.approx(0.0)


def test_what_is_resampled_are_whole_clusters():
    inside = np.repeat([True, False], 50)
    low, high = cluster_interval(inside, np.repeat(["a", "b"], 50).astype(object))
    assert (low, high) == (0.0, 1.0)  # two clusters can both be the one that fails
    assert all(np.isnan(cluster_interval(inside, np.full(100, "a", object))))


def test_gains_by_curves_are_those_of_the_power_law():
    one = np.ones((3, 2))
    curves = ClassCurves(
        scale=np.array([100.0, 100.0]),
        limit=0.9 * one,
        drop=0.2 * one,
        exponent=0.5 * one,
        shares=np.array([0.75, 0.25]),
    )
    found = curve_gains(curves, np.array([[400, 100]]), np.array([100, 100]), level=0.9)
    assert found["accuracy"][0] == pytest.approx(np.full(3, 0.75 * 0.1))
    assert found["balanced_accuracy"][0] == pytest.approx(np.full(3, 0.5 * 0.1))
    assert np.isnan(curve_gains(None, np.array([[400, 100]]), np.array([100, 100]), level=0.9)["accuracy"]).all()


@pytest.mark.slow
def test_the_study_runs_once_on_the_digits(tmp_path):
    settings = ForecastStudySettings(
        datasets={"digits": ("dataset=digits", "encoder=pixels")}, regimes=("long_tailed",), seeds=(0,)
    )
    shared = ("forecast.compositions=30", "forecast.seeds=all", f"paths.store_dir={tmp_path / 'store'}")
    table = run_study(settings, store=Store(tmp_path / "store"), out=tmp_path, shared=shared)
    assert set(table.score) == set(SCORES)
    cases = pd.read_csv(tmp_path / "cases.csv", keep_default_na=False)
    assert len(cases) == len(PLANNERS) * len(FRACTIONS) * len(SCORES)
    assert set(cases.refused) == {""}
    again = run_study(settings, store=Store(tmp_path / "store"), out=tmp_path / "again", shared=shared)
    pd.testing.assert_frame_equal(again, table)

"""The rules by which the experiments score, with planted answers; each experiment once on the digits."""

import math

import numpy as np
import pandas as pd
import pytest

from experiments.common import mean_interval
from experiments.scale_invariance import run as scale_invariance
from experiments.scale_invariance.measure import paired_means
from experiments.scale_invariance.verdict import CAP, drift_table, drifts, overall, size_drift, verdict
from scar.store.artefact import artefact_folders
from scar.store.store import Store
from scar.studies.need import need_study
from scar.studies.need.predict import power_law
from scar.studies.need.reality import FRACTIONS, falling_crossing, real_subsets
from scar.studies.need.score import band, decisions, interval_scores, log_error, score_cases, summarize, with_other_seed

SIZES = np.exp(np.linspace(np.log(1_000), np.log(64_000), 13))
DIGITS = {"digits": ("dataset=digits", "encoder=pixels", "probe.max_epochs=30")}


@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0])
def test_a_power_law_is_found_again_with_and_without_its_exponent(exponent):
    curves = np.array([4.0, 9.0]) * SIZES[:, None] ** -exponent * 64_000**exponent / 100
    truth = 64_000 * np.array([4.0, 9.0]) ** (1 / exponent)
    np.testing.assert_allclose(power_law(SIZES, curves)(0.01), truth, rtol=1e-9)
    np.testing.assert_allclose(power_law(SIZES, curves, exponent)(0.01), truth, rtol=1e-9)


def test_the_crossing_of_a_falling_curve_is_where_it_falls_to_the_target_and_stays():
    curve = 200 / SIZES
    assert falling_crossing(SIZES, curve, 0.02) == pytest.approx(10_000, rel=0.02)
    assert falling_crossing(SIZES, curve, 0.5) == 0.0
    assert math.isinf(falling_crossing(SIZES, curve, 0.001))
    dipping = curve.copy()
    dipping[3] = 0.0  # below the target at once, but it does not stay there
    assert falling_crossing(SIZES, dipping, 0.02) == pytest.approx(10_000, rel=0.02)


def test_sizes_of_one_class_aware_repeat_are_disjoint_and_cover_up_to_everything():
    labels = np.repeat([0, 1], [300, 900])
    subsets = real_subsets(np.arange(1_200), labels, seed=0)
    assert len(subsets[0].rows) == 1_200
    assert {s.factor for s in subsets} == set(range(1, len(FRACTIONS) + 1))
    quarter = [s.rows for s in subsets if FRACTIONS[s.factor - 1] == 0.25]
    assert len(quarter) == 4
    np.testing.assert_array_equal(np.sort(np.concatenate(quarter)), np.arange(1_200))
    assert all(abs((labels[rows] == 0).sum() - 75) <= 1 for rows in quarter)


def test_errors_are_signed_capped_and_worst_without_an_answer():
    said = [2_000, 8_000, math.nan, math.inf, 1e9, 0.0, 500]
    expected = [-1.0, 1.0, 3.0, 3.0, 3.0, -2.0, -2.0]  # "enough" is read as what one has, here 1000
    np.testing.assert_allclose(log_error(said, 4_000, 1_000), expected)


def test_an_interval_score_is_the_width_plus_forty_times_the_miss():
    low, high = [1_000, 3_000, 0, math.nan, 2_000], [4_000, 6_000, 1_000, math.nan, math.inf]
    covered, width, score = interval_scores(low, high, np.full(5, 2_000), np.full(5, 1_000))
    assert covered.tolist() == [True, False, False, False, True]
    np.testing.assert_allclose(width, [2.0, 1.0, 0.0, 5.0, 4.0])
    np.testing.assert_allclose(score, [2.0, 1.0 + 40 * math.log2(1.5), 40.0, 5.0, 4.0])


def test_bands_meet_without_a_hole():
    assert [band(r) for r in (0, 0.99, 1, 1.99, 2, 4, 4.1, math.inf)] == [
        "<1", "<1", "1-2", "1-2", "2-4", "2-4", ">4", ">4"
    ]  # fmt: skip


def planted_cases():
    """Two seeds, real sizes of 0.5, 1.5, 3 and beyond 4 times; one estimator knows, one doubles, one is silent."""
    real = np.array([500, 1_500, 3_000, math.inf])
    frames = []
    for seed in (0, 1):
        for name, said in (("heldout", real), ("power_half", 2 * real), ("paper", np.full(4, math.nan))):
            columns = {"predicted": said, "low": said / 2, "high": said * 2, "real": real, "class_id": range(4)}
            about = {
                "dataset": "d",
                "seed": seed,
                "plan": "quick",
                "question": "gap",
                "estimator": name,
                "target": 0.02,
            }
            frames.append(pd.DataFrame(about | columns | {"have": 1_000, "everything": 4_000}))
    return pd.concat(frames, ignore_index=True)


def test_the_table_scores_only_what_lies_between_once_and_four_times():
    table = summarize(score_cases(planted_cases()), draws=50)
    table = table[(table["subject"] == "class") & (table["dataset"] == "all")].set_index("estimator")
    assert table["cases"].tolist() == [4, 4, 4]
    assert table["median"].to_dict() == pytest.approx({"heldout": 0.0, "power_half": 1.0, "paper": 3.0})
    assert table["coverage"]["heldout"] == 1.0
    assert table["coverage"]["paper"] == 0.0
    assert math.isnan(table["coverage"]["power_half"])
    assert table["no_answer"].to_dict() == {"heldout": 0.0, "power_half": 0.0, "paper": 1.0}


def test_outside_the_bands_the_decision_is_judged():
    table = decisions(score_cases(planted_cases())).set_index("estimator")
    assert table["right_enough"].to_dict() == {"heldout": 1.0, "power_half": 1.0, "paper": 0.0}
    assert table["clipped_error"].to_dict() == {
        "heldout": 0.0,
        "power_half": pytest.approx((0 + 1 + math.log2(4 / 3) + 0) / 4),
        "paper": 2.0,
    }
    assert table["right_beyond"].to_dict() == {"heldout": 1.0, "power_half": 1.0, "paper": 0.0}


def test_what_another_seed_measured_stands_beside_the_estimators():
    columns = {"seed": [0, 1, 2], "real": [100.0, 200.0, math.inf], "everything": 400, "estimator": "twice"}
    about = {"dataset": "d", "plan": "quick", "question": "gap", "target": 0.1, "class_id": 0}
    cases = pd.DataFrame(about | columns | {"predicted": 1.0, "low": 1.0, "high": 1.0})
    other = with_other_seed(cases).query("estimator == 'other_seed'").set_index("seed")
    assert other["predicted"].to_dict() == {0: 400.0, 1: 100.0, 2: 200.0}
    assert len(with_other_seed(cases[cases["seed"] == 0])) == 1


def test_answers_that_do_not_contradict_each_other_do_not_drift():
    def drift(part, whole):
        return size_drift(part, whole, n_part=1_000, n_whole=10_000)

    assert drift(8_000, 4_000) == 1.0
    assert drift(0, 0) == drift(9_000, 0) == drift(0, 500) == 0.0
    assert drift(20_000, 0) == 1.0
    assert drift(0, 4_000) == -2.0
    assert drift(math.inf, 4_000) == CAP
    assert drift(4_000, math.nan) == -CAP
    assert math.isnan(drift(math.inf, math.inf))
    assert drift(1e9, 1.0) == CAP


def test_a_verdict_needs_the_interval_inside_or_outside_the_tolerance():
    assert verdict(-0.01, 0.02, 0.03) == "confirmed"
    assert verdict(0.031, 0.05, 0.03) == verdict(-0.2, -0.1, 0.03) == "refuted"
    assert verdict(-0.01, 0.05, 0.03) == "undecided"
    assert verdict(math.nan, math.nan, 0.03) == "undefined"


def test_the_interval_of_a_mean_is_students():
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    assert (mean, high - mean) == (2.0, pytest.approx(4.3027 / math.sqrt(3), rel=1e-4))
    assert high - mean == pytest.approx(mean - low)


def test_a_class_that_a_part_cannot_measure_is_left_out_of_the_whole_too():
    part, whole = np.array([0.8, np.nan, 0.6]), np.array([0.9, 0.1, 0.7])
    assert paired_means(part, whole) == (pytest.approx(0.7), pytest.approx(0.8), 2)
    assert paired_means(np.full(2, np.nan), np.ones(2))[2] == 0


def test_planted_drifts_get_their_verdicts():
    rng = np.random.default_rng(0)
    records = []
    for seed in range(6):
        for scale, parts in ((2, 2), (5, 3), (10, 3)):
            for part in range(parts):
                about = {"dataset": "d", "seed": seed, "scale": scale, "part": part, "classes": 10}
                about |= {"n": 10_000 // scale, "n_whole": 10_000}
                jitter = 1 + 0.002 * rng.standard_normal()
                values = {"authenticity": jitter, "coverage": jitter * 0.97 ** (scale - 1)}
                records += [
                    about | {"kind": "measure", "quantity": k, "value": 0.9 * v, "value_whole": 0.9}
                    for k, v in values.items()
                ]
                size = {"kind": "size", "quantity": "paper", "value": 5e4 * jitter, "value_whole": 5e4}
                records.append(about | size)
    table = drift_table(drifts(pd.DataFrame(records)))
    tenth = table[table["subset"] == "1/10"].set_index("quantity")
    assert tenth["factor"]["coverage"] == pytest.approx(0.97**9, rel=0.01)
    assert tenth["comparisons"].tolist() == [18, 18, 18]
    verdicts = overall(table).set_index("quantity")["verdict"]
    assert verdicts.to_dict() == {"authenticity": "confirmed", "coverage": "refuted", "paper": "confirmed"}


@pytest.mark.slow
def test_the_need_study_runs_on_digits_and_again_from_the_store(tmp_path):
    settings = need_study.NeedStudySettings(
        datasets=DIGITS,
        seeds=(0, 1),
        plans=("quick",),
        gaps=(0.005, 0.01, 0.02, 0.04),
        recalls=(0.85, 0.9, 0.95),
        min_heldout=10,
    )
    table = need_study.run_study(settings, store=Store(tmp_path / "store"), out=tmp_path / "first")
    assert set(table["estimator"]) >= {"heldout", "paper", "reference", "power_fitted", "power_half", "twice"}
    assert table["median"].between(0, 3).all()
    files = {p: p.stat().st_mtime_ns for p in artefact_folders(tmp_path / "store")}
    need_study.run_study(settings, store=Store(tmp_path / "store"), out=tmp_path / "second")
    assert files == {p: p.stat().st_mtime_ns for p in artefact_folders(tmp_path / "store")}
    for name in ("cases.csv", "table.csv", "table.md", "decisions.csv", "figure.png"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.mark.slow
def test_scale_invariance_runs_on_digits_and_finds_the_scale_constant(tmp_path):
    table = scale_invariance.run(DIGITS, seeds=(0, 1), store=tmp_path / "store", out=tmp_path / "out")
    scale = table[table["quantity"] == "scale"]
    assert (scale["factor"] == 1.0).all()
    assert (scale["verdict"] == "confirmed").all()
    assert set(table["subset"]) == {"1/2", "1/5", "1/10"}
    assert (tmp_path / "out" / "figure.png").stat().st_size > 10_000

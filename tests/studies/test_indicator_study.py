"""The study on planted scores, and once on the digits."""

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_module

from scar.config.build import build
from scar.store.artefact import artefact_folders
from scar.studies.indicators import indicator_study as indicators
from scar.studies.indicators.evaluate import SeedResult
from scar.studies.indicators.indicator_settings import IndicatorStudy
from scar.studies.indicators.verdicts import agreements, comparisons, findings

STUDY = IndicatorStudy(seeds=3)
MEASURED = {"scale": np.nan, "coverage": 0.9, "authenticity": 0.9, "richness": 0.99}


def row(name, family, accuracy, *, tail=0.0, skew=0.1, samples=8000, kind="tail", head="linear"):
    return {
        "name": name, "family": family, "kind": kind, "source": "", "matched": samples == 8000, "samples": samples,
        "label_set_size": 10.0, "smallest_class": 800 * (1 - tail), "left_skew@5%": skew, "long_tail@500": tail,
        "long_tail@100": 0.0, "imbalance_ratio": 1 + tail, "normalised_entropy": 1 - tail, "gini": tail,
        "head": head, "accuracy": accuracy, "robustness": accuracy / 2, **MEASURED,
    }  # fmt: skip


def planted(seeds=3, items=400):
    """Tails cost 30 points, skew nothing; adding classes costs 5 points against adding samples."""
    truth = np.arange(items) % 4
    accuracies = {
        "balanced 800": (0.8, 0.0, 0.1), "head over 500": (0.8, 0.0, 0.44), "40% at 200": (0.7, 0.4, 0.15),
        "40% at 50": (0.5, 0.4, 0.2), "10% at 50": (0.72, 0.1, 0.11),
    }  # fmt: skip
    scaling = {"base 100": 0.7, "base 100, V x2": 0.8, "base 100, H x2, same dataset": 0.75}
    results = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        rows = [row(n, "class sizes", a, tail=t, skew=s) for n, (a, t, s) in accuracies.items()]
        rows += [
            row(n, "label sets", a + 0.001 * seed * (i + 1), samples=1000 + i, kind="base")
            for i, (n, a) in enumerate(scaling.items())
        ]
        ease = rng.random(items)
        right = np.stack([ease < each["accuracy"] for each in rows]).astype(np.int8)
        results.append(SeedResult(pd.DataFrame(rows).assign(seed=seed), right, right.astype(np.float32) / 2))
    return results, truth


def test_planted_effects_get_their_intervals_and_sentences():
    results, truth = planted()
    table = comparisons(results, STUDY, truth=truth, shift_truth=truth)
    own = table[table.outcome == "accuracy"].set_index(["first", "second"])
    skew = own.loc[("head over 500", "balanced 800")]
    assert skew.difference == skew.low == skew.high == 0.0
    tail = own.loc[("40% at 50", "head over 500")]
    assert tail.low < -0.3 < tail.high
    assert tail.high < -0.2
    scaled = own.loc[("base 100, H x2, same dataset", "base 100, V x2")]
    assert scaled.difference == pytest.approx(-0.05 + 0.001)
    assert scaled.low < scaled.difference < scaled.high < 0
    half = table[(table.outcome == "robustness") & (table["first"] == "40% at 50")].iloc[0]
    assert half.difference == pytest.approx(own.loc[("40% at 50", "balanced 800")].difference / 2)
    datasets = pd.concat([each.table for each in results])
    said = findings(agreements(datasets, STUDY, resamples=200), table)
    assert "H against V (linear): -4.9 points of accuracy; the interval is above 0 in 0 and below 0 in 1 of 1." in said
    assert any("agrees best over 5 datasets" in line for line in said)


def test_a_planted_indicator_agrees_and_a_constant_one_is_left_out():
    results, _ = planted()
    table = agreements(pd.concat([each.table for each in results]), STUDY, resamples=200)
    own = table[(table.group == "class sizes") & (table.outcome == "accuracy")].set_index("indicator")
    assert own.loc["long_tail@500", "gamma"] == -1.0
    assert abs(own.loc["left_skew@5%", "kendall"]) < 0.5
    assert "long_tail@100" not in own.index
    assert "label_set_size" not in own.index
    assert (own.kendall_low <= own.kendall).all()
    assert (own.kendall <= own.kendall_high).all()


def test_datasets_that_are_shifts_get_intervals_over_seeds():
    results, truth = planted()
    table = comparisons(results, STUDY, truth=truth, shift_truth=truth, by_item=False)
    half = table[(table.outcome == "robustness") & (table["first"] == "40% at 50")].iloc[0]
    assert half.difference == pytest.approx(-0.15)
    assert half.low == pytest.approx(half.high)  # the planted difference is the same for every seed


@pytest.fixture
def digits(tmp_path):
    with initialize_config_module("scar.conf", version_base="1.3"):
        overrides = ["experiment=indicators", "dataset=digits", "encoder=pixels", "probe.max_epochs=20"]
        return build(compose("config", [*overrides, f"paths.store_dir={tmp_path / 'store'}"]))


@pytest.mark.slow
def test_the_study_runs_on_digits_and_again_from_the_store(digits, tmp_path, monkeypatch):
    study = IndicatorStudy(seeds=2, foundation_seeds=1, mlp_seeds=1)
    monkeypatch.setattr(indicators, "IndicatorStudy", lambda: study)
    indicators.run(digits, tmp_path / "first")
    datasets = pd.read_parquet(tmp_path / "first" / "datasets.parquet")
    linear = datasets[datasets["head"] == "linear"]
    assert linear.name.nunique() >= 45
    assert linear[linear.family == "class sizes"].name.nunique() >= 30
    assert linear.accuracy.between(0, 1).all()
    assert {"long_tail@12", "shift_noise", "shift_sketch", "scale", "accuracy_zero"} <= set(linear.columns)
    mean = linear.groupby("name").accuracy.mean()
    assert mean["balanced 20"] > mean["40% at 1"] + 0.05
    shared = linear.merge(datasets[datasets["head"] == "mlp"], on=["name", "seed"])
    assert 10 < len(shared) < 20
    made = {p: p.stat().st_mtime_ns for p in artefact_folders(tmp_path / "store")}
    indicators.run(digits, tmp_path / "second")
    assert made == {p: p.stat().st_mtime_ns for p in artefact_folders(tmp_path / "store")}
    for name in ("datasets.csv", "agreement.csv", "comparisons.csv", "indicators.md", "indicators.png"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_modality_without_shifts_is_refused(digits):
    from types import SimpleNamespace

    from scar.studies.indicators.source_features import gather

    job = SimpleNamespace(config=SimpleNamespace(probed="audio"), steps=SimpleNamespace(labels=np.zeros(3)))
    with pytest.raises(ValueError, match="modality='audio' has no named shifts"):
        gather(job, STUDY)

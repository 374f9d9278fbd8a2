import csv
import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from scar.foundation.bound import concept_bound, reference_concept_sizes, step_foundation_size
from scar.foundation.published import ReferenceEstimator
from scar.foundation.set_level import reference_set_foundation_size
from scar.measures.observations import Observations
from scar.measures.steps import MEASURES, StepStatistics

CIFAR10_RESNET = [
    54.773987441457415,
    57.84237258464407,
    68.94319428977289,
    127.29153676756118,
    64.91143604706076,
    82.43749558025333,
    58.49628873311038,
    51.8205386069849,
    51.869453308431815,
    89.57573608536728,
]
"""Concept sizes of the last published run of CIFAR-10 with ResNet, all data."""
AGNEWS_GPT2 = [391.0448337176285, 736.0654044163275, 376.8422850075612, 490.1307481220411]
"""Likewise of AG-News with GPT-2."""
RUNS = [(d, e, r) for d, e in (("cifar10", "resnet"), ("cifar10", "vit"), ("agnews", "gpt2")) for r in (1, 2, 3)]
ERROR_RATIO = {"cifar10": 5.0, "agnews": math.e}


def rows(path, **wanted):
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if all(row[key] == str(value) for key, value in wanted.items())]


def recorded_measures(folder, dataset, encoder, run):
    """Factors [R] and measures [R, K] of one recorded run."""
    by_factor = defaultdict(list)
    for row in rows(folder / "scar_indexes.csv", dataset=dataset, encoder=encoder, run=run):
        by_factor[int(row["ratio"])].append(row)
    factors = sorted(by_factor)
    names = MEASURES
    return np.array(factors), {
        name: np.array([[float(row[name]) for row in by_factor[factor]] for factor in factors]) for name in names
    }


def observations_of(factors, measures, *, misses):
    """One probe per factor; both kinds of error are as many as the arg-max makes."""
    shape = measures["coverage"].shape
    counts = np.full(shape, 100, dtype=np.int64)
    errors = np.full(shape, misses, dtype=np.int64)
    return Observations(
        factors=factors,
        parts=np.zeros_like(factors),
        sizes=50_000 // factors,
        class_sizes=counts,
        **measures,
        true_positives=counts,
        train_misses=errors,
        train_false_alarms=errors,
        n_total=50_000,
    )


@pytest.mark.parametrize(
    ("h", "error_ratio", "published"),
    [(CIFAR10_RESNET, 5.0, 89831.52133468608), (AGNEWS_GPT2, math.e, 60997.24918563843)],
)
def test_committed_concept_sizes_give_the_recorded_total(h, error_ratio, published):
    assert reference_set_foundation_size(h, error_ratio=error_ratio) == pytest.approx(published, rel=1e-9)


@pytest.mark.parametrize(("dataset", "encoder", "run"), RUNS)
def test_recorded_measures_give_the_recorded_total(recorded, dataset, encoder, run):
    factors, measures = recorded_measures(recorded, dataset, encoder, run)
    (truth,) = rows(recorded / "runs.csv", dataset=dataset, encoder=encoder, run=run)
    h = reference_concept_sizes(concept_bound(**measures), factors)
    size = reference_set_foundation_size(h, error_ratio=ERROR_RATIO[dataset])
    assert size == pytest.approx(float(truth["fds_total"]), rel=1e-9)
    estimator = ReferenceEstimator().fit(observations_of(factors, measures, misses=3))
    assert estimator.foundation_size_ == pytest.approx(float(truth["fds_total"]), rel=1e-9)


@pytest.mark.parametrize(
    ("dataset", "encoder", "modality", "subset", "column"),
    [
        ("cifar10", "resnet", "", "Total", "fds_total"),
        ("cifar10", "resnet", "", "Primary", "fds_primary"),
        ("agnews", "gpt2", "", "Total", "fds_total"),
        ("agnews", "gpt2", "", "Primary", "fds_primary"),
        ("flickr30k", "clip", "image", "Total", "fds_total"),
        ("flickr30k", "clip", "image", "Primary", "fds_primary"),
        ("audiocaps", "clap", "audio", "Total", "fds_total"),
        ("audiocaps", "clap", "audio", "Primary", "fds_primary"),
    ],
)
def test_recorded_concept_sizes_give_the_recorded_size(recorded, dataset, encoder, modality, subset, column):
    steps = rows(recorded / "concept_sizes.csv", dataset=dataset, encoder=encoder, subset=subset)
    (truth,) = rows(recorded / "runs.csv", dataset=dataset, encoder=encoder, modality=modality, run=3)
    size = reference_set_foundation_size(
        [float(step["h"]) for step in steps], error_ratio=float(steps[0]["ratio_factor"])
    )
    assert size == pytest.approx(float(truth[column]), rel=1e-9)


def test_the_table_prints_the_logged_gpt2_runs_under_roberta(recorded):
    logged = [float(row["fds_total"]) for row in rows(recorded / "runs.csv", dataset="agnews", encoder="gpt2")]
    for encoder, same in (("roberta", True), ("gpt2", False)):
        printed = rows(recorded / "published_table2.csv", dataset="agnews", encoder=encoder)
        assert [
            float(row["foundation_size"]) == pytest.approx(each) for row, each in zip(printed, logged, strict=True)
        ] == [same] * 3


def test_recorded_cifar_measures_obey_the_arg_max_identities_and_recorded_agnews_measures_do_not(recorded):
    def violations(dataset, encoder):
        _, measures = recorded_measures(recorded, dataset, encoder, 3)
        authenticity, steps = measures["authenticity"], measures["authenticity"].shape[1]
        closed = authenticity + (1 - authenticity) * (steps - 2) / (steps - 1)
        return np.abs(measures["richness"] - closed).max()

    assert violations("cifar10", "resnet") < 1e-12
    assert violations("agnews", "gpt2") > 0.1


def probe_observations(*, classes=6, noise=2.5, seed=0, decision="argmax", heavy=False):
    """Statistics of random logits on disjoint parts for r = 1, 2, 5."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, 3000)
    logits = random.normal(size=(3000, classes)) * (1.0 if heavy else 0.0)
    logits += random.normal(size=(3000, classes)) * noise
    logits[np.arange(3000), labels] += 6.0
    factors, parts, statistics = [], [], []
    for factor in (1, 2, 5):
        for part in range(factor):
            each = StepStatistics(classes, decision)
            each.update(logits[part::factor], labels[part::factor])
            factors.append(factor)
            parts.append(part)
            statistics.append(each)
    measures = [s.compute(scale=1 / f, min_count=1) for s, f in zip(statistics, factors, strict=True)]
    return Observations(
        factors=np.array(factors),
        parts=np.array(parts),
        sizes=np.array([s.samples for s in statistics]),
        class_sizes=np.stack([s.class_sizes for s in statistics]),
        scale=np.stack([m.scale for m in measures]),
        coverage=np.stack([m.coverage for m in measures]),
        authenticity=np.stack([m.authenticity for m in measures]),
        richness=np.stack([m.richness for m in measures]),
        true_positives=np.stack([m.true_positives for m in measures]),
        train_misses=np.stack([s.misses for s in statistics]),
        train_false_alarms=np.stack([s.false_alarms for s in statistics]),
        n_total=3000,
    )


@pytest.mark.parametrize("classes", [3, 6, 11])
def test_the_error_ratio_of_an_arg_max_probe_is_half_the_number_of_classes(classes):
    observed = probe_observations(classes=classes)
    assert observed.train_misses[0].sum() > 0
    accuracy = 1 - observed.train_misses[0].sum() / 3000
    ratio = (1 - accuracy) / (1 - observed.authenticity[0].mean())
    assert ratio == pytest.approx(classes / 2, rel=1e-12)
    assert ReferenceEstimator().fit(observed).error_ratio_ == pytest.approx(max(classes / 2, math.e), rel=1e-12)


def test_a_probe_without_errors_takes_the_identity_and_says_so():
    estimator = ReferenceEstimator().fit(probe_observations(classes=7, noise=0.1))
    assert estimator.error_ratio_ == 3.5
    assert "zero_training_error" in estimator.flags_["set"]
    assert "zero_training_error" not in ReferenceEstimator().fit(probe_observations()).flags_["set"]


def test_the_fit_averages_parts_and_follows_the_published_steps():
    observed = probe_observations()
    estimator = ReferenceEstimator(epsilon=0.02, delta=0.05, rate=1e-3).fit(observed)
    mean = {
        name: np.stack([getattr(observed, name)[observed.factors == r].mean(axis=0) for r in (1, 2, 5)])
        for name in MEASURES
    }
    h = reference_concept_sizes(concept_bound(**mean), [1, 2, 5], rate=1e-3)
    np.testing.assert_allclose(estimator.concept_sizes_, h, rtol=1e-13)
    np.testing.assert_allclose(estimator.step_sizes_, step_foundation_size(h, epsilon=0.02, delta=0.05))
    size = reference_set_foundation_size(h, error_ratio=3.0, epsilon=0.02, delta=0.05)
    assert estimator.foundation_size_ == pytest.approx(size, rel=1e-12)
    assert (estimator.growth_["curve"] <= estimator.growth_["bound"] * (1 + 1e-12)).all()
    assert np.isnan(estimator.interval_).all()
    assert estimator.step_intervals_.shape == (6, 2)


def test_undefined_steps_are_named_and_left_out():
    observed = probe_observations()
    coverage = observed.coverage.copy()
    coverage[:, 2] = np.nan
    coverage[0, 4] = np.nan
    estimator = ReferenceEstimator().fit(replace(observed, coverage=coverage))
    assert np.isnan(estimator.step_sizes_).tolist() == [False, False, True, False, False, False]
    assert estimator.flags_[2] == ["undefined"]
    assert estimator.flags_[4] == ["partly_undefined"]
    assert estimator.flags_[0] == []
    assert "undefined_steps" in estimator.flags_["set"]
    defined = np.delete(estimator.concept_sizes_, 2)
    size = reference_set_foundation_size(defined, error_ratio=estimator.error_ratio_)
    assert estimator.foundation_size_ == pytest.approx(size, rel=1e-14)


def test_nothing_defined_gives_an_undefined_size_not_zero():
    observed = probe_observations()
    estimator = ReferenceEstimator().fit(replace(observed, coverage=np.full_like(observed.coverage, np.nan)))
    assert math.isnan(estimator.foundation_size_)
    assert "undefined" in estimator.flags_["set"]


def test_a_step_below_delta_is_met():
    observed = probe_observations()
    estimator = ReferenceEstimator(rate=100.0, delta=0.99).fit(observed)
    assert (estimator.step_sizes_ == 0).all()
    assert estimator.foundation_size_ == 0
    assert estimator.flags_[0] == ["met"]
    assert "met" in estimator.flags_["set"]


def test_the_whole_set_has_to_be_observed():
    observed = probe_observations()
    with pytest.raises(ValueError, match="must hold the factor 1"):
        ReferenceEstimator().fit(replace(observed, factors=observed.factors + 1))

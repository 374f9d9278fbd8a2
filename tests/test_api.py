"""`scar.characterize`: the four answers for arrays in memory, and what it refuses."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

import scar
from scar.completion.forecast import FORECASTS
from scar.completion.forecast_settings import ForecastConfig
from scar.completion.planners import ClassAveragePlanner, RandomPlanner
from scar.foundation.settings import ESTIMATORS
from scar.probes.settings import ProbeConfig

NAMES = [f"digit {d}" for d in range(10)]


@pytest.fixture(scope="module")
def digits():
    features, labels = load_digits(return_X_y=True)
    return (features / 16).astype(np.float32), labels


@pytest.fixture(scope="module")
def answer(digits):
    features, labels = digits
    starved = np.flatnonzero((labels != 3) | (np.arange(len(labels)) % 6 == 0))
    now, pool = starved[: len(starved) // 2 * 2 : 2], np.setdiff1d(np.arange(len(labels)), starved[::2])
    return scar.characterize(
        features[now],
        labels[now],
        class_names=NAMES,
        pool_embeddings=features[pool],
        pool_labels=labels[pool],
        random_state=1,
        forecast=ForecastConfig(compositions=30, seeds="all"),
    )


def test_measures_are_a_frame_with_class_names(answer):
    frame = answer.measures
    assert set(frame.columns) >= {"factor", "part", "class_name", "scale", "coverage", "authenticity", "richness"}
    assert set(frame.class_name) == set(NAMES)
    assert frame.authenticity.dropna().between(0.5, 1).all()


def test_the_foundation_size_comes_from_every_estimator_with_interval_and_flags(answer):
    frame = answer.foundation
    assert list(frame.index) == list(ESTIMATORS)
    known = frame.dropna(subset=["foundation_size", "low", "high"])
    assert (known.low <= known.foundation_size).all()
    assert (known.foundation_size <= known.high).all()


def test_the_prospect_is_a_frame_and_any_size_has_a_chance(answer):
    frame = answer.prospect
    have = answer.counts.sum()
    assert frame.index.tolist() == [have, round(1.5 * have), 2 * have, 4 * have]
    assert frame.enough.is_monotonic_increasing
    assert (frame.accuracy_low <= frame.accuracy).all()
    assert (frame.accuracy <= frame.accuracy_high).all()
    assert answer.chance_of_enough(2 * have) == pytest.approx(frame.enough[2 * have], abs=0.02)
    without = replace(
        answer, estimates={name: each for name, each in answer.estimates.items() if name != "recommended"}
    )
    assert without.prospect.empty
    with pytest.raises(ValueError, match="recommended"):
        without.chance_of_enough(1000)


def test_a_plan_stays_within_pool_and_budget_and_names_pool_rows(answer):
    plan = answer.plan(budget=40, planner=ClassAveragePlanner())
    assert plan.counts.sum() == 40 == len(plan.rows)
    assert np.array_equal(np.bincount(answer.pool[plan.rows], minlength=10), plan.counts)
    assert plan.counts.index.tolist() == NAMES
    assert "add 40" in repr(plan)


def test_the_decision_comes_first_and_forecasts_once_one_was_asked_for(answer, digits):
    text = repr(answer)
    assert text.startswith(str(answer.decision))
    assert all(sentence in answer._repr_html_() for sentence in (answer.decision.quality, answer.decision.enough))
    features, labels = digits
    fresh = scar.characterize(
        features[:600], labels[:600], pool_embeddings=features[600:1000], pool_labels=labels[600:1000]
    )
    before = fresh.decision
    assert "balanced accuracy of " in before.quality
    assert "on 120 test items" in before.quality
    fresh.recommend(100)
    after = fresh.decision
    assert (before.quality, before.enough, before.free) == (after.quality, after.enough, after.free)
    if "Nothing by the needs" not in before.buy:
        assert "trains the probes for it" in before.buy
        assert "trains the probes for it" not in after.buy


def test_a_perfect_score_has_an_interval_that_is_not_empty(answer):
    labels = answer.test_labels
    perfect = replace(answer.test_scores, predictions=replace(answer.test_scores.predictions, uniform=labels))
    perfect = replace(perfect, matched_balanced_accuracy=1.0)
    found = replace(answer, test_scores=perfect)._interval("matched_balanced_accuracy")
    assert found.high == 1.0
    assert 0.9 < found.low < 0.995


def test_every_accuracy_has_its_interval_and_the_size_of_the_test_part(answer):
    frame = answer.scores
    assert list(frame.index) == ["matched_accuracy", "accuracy", "matched_balanced_accuracy", "balanced_accuracy"]
    assert (frame.tested == len(answer.test_labels)).all()
    for name, row in frame.iterrows():
        assert row.value == getattr(answer.test_scores, name)
        assert row.low < row.value < row.high
    share, n = frame.value["accuracy"], len(answer.test_labels)
    assert frame.high["accuracy"] - frame.low["accuracy"] == pytest.approx(
        2 * 1.96 * np.sqrt(share * (1 - share) / n), rel=0.2
    )
    low, high = frame.loc["matched_accuracy", ["low", "high"]]
    assert f"[{low:.3f}, {high:.3f}]" in repr(answer)


def test_an_accuracy_of_a_declared_mix_has_the_interval_of_its_weights():
    rng = np.random.default_rng(0)
    draw = lambda *sizes: np.repeat(["a", "b"], sizes)  # noqa: E731
    place = lambda labels: rng.normal(size=(len(labels), 4)) + 0.6 * (labels == "b")[:, None]  # noqa: E731
    labels, truth = draw(100, 100), draw(400, 12)
    told = {"labels": labels, "test": (place(truth), truth), "random_state": 0}
    found = scar.characterize(place(labels), deployment={"a": 0.1, "b": 0.9}, **told).scores
    width = found.high - found.low
    assert width["matched_accuracy"] > 2 * width["accuracy"]  # nine tenths rest on 12 of 412 items


def test_a_class_of_one_test_item_widens_the_interval():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [120, 60])
    features = rng.normal(size=(180, 4)) + labels[:, None]
    test = (np.vstack([np.zeros((100, 4)) - 1, np.full((1, 4), -1.0)]), [0] * 100 + [1])
    found = scar.characterize(features, labels, test=test)._interval("matched_balanced_accuracy")
    assert found.value == 0.5
    assert found.low < 0.3
    assert found.high > 0.7
    one = scar.characterize(features, labels, test=(np.full((1, 4), 3.0), [1]))._interval("matched_balanced_accuracy")
    assert one.value == 1.0
    assert one.low < 0.5


def test_few_samples_read_without_nan_and_with_accuracies_between_0_and_1():
    answer = scar.characterize(np.repeat([[0.0, 1.0], [1.0, 0.0]], 20, axis=0), np.tile([0, 1], 20))
    assert answer.prospect.accuracy_low.between(0, 1).all()
    assert " nan" not in repr(answer)
    certain = scar.characterize(np.repeat([[0.0, 1.0], [1.0, 0.0]], 20, axis=0), np.repeat([0, 1], 20))
    assert certain.decision.verdict == "cannot tell"


def test_the_answers_read_as_text(answer):
    text = repr(answer)
    assert "test accuracy 0." in text
    assert "Foundation Data Size, recommended: " in text
    assert "enough with probability" in text
    assert "other estimates: reference " in text


def test_a_given_test_set_is_used_and_nothing_else_is_tested_on(digits):
    features, labels = digits
    test = (features[1500:], labels[1500:])
    answer = scar.characterize(features[:1500], labels[:1500], test=test)
    assert len(answer.test_scores.predictions.raw) == len(labels) - 1500
    assert answer.test_scores.accuracy > 0.85


def test_without_pool_labels_a_plan_gives_counts(digits):
    features, labels = digits
    answer = scar.characterize(features[:1200], labels[:1200], pool_embeddings=features[1200:])
    plan = answer.plan(budget=25)
    assert plan.rows is None
    assert plan.counts.sum() in (0, 25)


def test_arrays_tensors_frames_and_names_give_the_same_answer(digits):
    features, labels = digits[0][:600], digits[1][:600]
    plain = scar.characterize(features, labels)
    tensors = scar.characterize(torch.from_numpy(features), torch.from_numpy(labels))
    frames = scar.characterize(pd.DataFrame(features), pd.Series([str(d) for d in labels]))
    assert frames.class_names == tuple("0123456789")
    for other in (tensors, frames):
        assert np.array_equal(plain.observations.authenticity, other.observations.authenticity, equal_nan=True)


def test_groups_are_never_divided(digits):
    features, labels = digits
    groups = [f"writer {i // 20}" for i in range(len(labels))]
    answer = scar.characterize(features, labels, groups=groups)
    assert answer.counts.sum() == pytest.approx(0.8 * 0.8 * len(labels), rel=0.1)


def test_the_seed_decides_everything(digits):
    features, labels = digits[0][:600], digits[1][:600]
    first, again, other = (scar.characterize(features, labels, random_state=s) for s in (5, 5, 6))
    assert np.array_equal(first.probe.weights, again.probe.weights)
    assert not np.array_equal(first.probe.weights, other.probe.weights)


def broken(features, row, value):
    features = features.copy()
    features[row, 0] = value
    return features


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: {"embeddings": broken(x, 7, np.nan)}, r"NaN or infinite.*7"),
        (lambda x, y: {"embeddings": broken(x, 3, np.inf)}, r"NaN or infinite.*3"),
        (lambda x, y: {"embeddings": x[:-1]}, r"299|300"),
        (lambda x, y: {"labels": np.where(y == 9, 11, y)}, r"0\.\.K-1|class_names"),
        (
            lambda x, y: {"labels": np.where(np.arange(300) == 5, 10, y), "class_names": NAMES},
            r"labels\[5\]: the label '10' is none",
        ),
        (lambda x, y: {"labels": np.where(np.arange(300) == 5, -1, y), "class_names": NAMES}, r"-1"),
        (lambda x, y: {"labels": np.zeros(300, int)}, r"single class"),
        (lambda x, y: {"labels": np.where(np.arange(300) == 5, "rare", "common")}, r"'rare' has 1"),
        (lambda x, y: {"labels": np.eye(10)[y] * 0.9}, r"holds 0.9"),
        (lambda x, y: {"labels": y + 0.5}, r"labels"),
        (lambda x, y: {"groups": ["a"] * 7}, r"groups has length 7"),
        (lambda x, y: {"pool_embeddings": x[:, :5]}, r"pool_embeddings have 5 dimensions"),
        (lambda x, y: {"pool_embeddings": x, "pool_labels": y[:-1]}, r"pool_labels has length 299"),
        (lambda x, y: {"test": (x[:, :5], y)}, r"test embeddings have 5 dimensions"),
        (lambda x, y: {"driver": "oracle"}, r"driver='oracle'"),
        (lambda x, y: {"test": (x, np.where(y == 3, "three", "one"))}, r"test labels\[0\]: the label"),
        (lambda x, y: {"pool_embeddings": x, "pool_labels": y + 7}, r"pool_labels\[\d+\]: the label"),
        (lambda x, y: {"test": x}, r"test must be a pair \(embeddings, labels\), got a ndarray of shape \(300, 64\)"),
        (lambda x, y: {"test": (x, y, y)}, r"test must be a pair \(embeddings, labels\), got a tuple of 3"),
        (
            lambda x, y: {"labels": [None, *map(str, y[1:])]},
            r"labels are missing in 1 rows.*as pool_embeddings, without pool_labels",
        ),
        (
            lambda x, y: {"labels": np.where(np.arange(300) < 2, np.nan, y)},
            r"labels are missing in 2 rows.*as pool_embeddings",
        ),
        (lambda x, y: {"labels": np.where(np.arange(300) < 2, -1, y)}, r"labels are -1 in 2 rows.*as pool_embeddings"),
        (lambda x, y: {"labels": ["", *map(str, y[1:])]}, r"the label is empty \(1 such rows\).*as pool_embeddings"),
        (lambda x, y: {"groups": [None, *range(299)]}, r"groups are missing in 1 rows, the first is 0"),
        (lambda x, y: {"groups": [*map(float, range(299)), np.nan]}, r"groups are missing in 1 rows, the first is 299"),
        (lambda x, y: {"labels": np.ma.masked_equal(y, 3)}, r"labels: values are masked in \d+ rows"),
        (lambda x, y: {"embeddings": np.ma.masked_less(x, 0.1)}, r"embeddings.*values are masked in"),
        (lambda x, y: {"groups": np.ma.masked_less(np.arange(300), 2)}, r"groups: values are masked in 2 rows"),
        (lambda x, y: {"embeddings": np.ones((300, 4))}, r"embeddings are the same in all 300 rows"),
        (lambda x, y: {"embeddings": x * 1e30}, r"embeddings hold values up to .*, whose squares overflow"),
        (lambda x, y: {"random_state": None}, r"random_state=None must be a whole number"),
        (lambda x, y: {"random_state": -1}, r"random_state=-1 must be a whole number"),
    ],
)
def test_bad_input_is_refused_by_name(digits, change, message):
    features, labels = digits[0][:300], digits[1][:300]
    arguments = {"embeddings": features, "labels": labels} | change(features, labels)
    with pytest.raises(ValueError, match=message):
        scar.characterize(**arguments)


def test_a_pool_without_labels_bounds_the_plan_and_random_needs_labels(digits):
    features, labels = digits
    answer = scar.characterize(features[:1200], labels[:1200], pool_embeddings=features[1200:1210])
    assert answer.plan(budget=10_000).counts.sum() <= 10
    with pytest.raises(ValueError, match="labelled pool"):
        answer.plan(budget=5, planner=RandomPlanner())
    with pytest.raises(ValueError, match="without pool_embeddings"):
        scar.characterize(features[:300], labels[:300], pool_labels=labels[:5])


def test_too_few_samples_are_refused_with_the_part_that_would_be_empty(digits):
    features, labels = digits
    rows = np.concatenate([np.flatnonzero(labels == d)[:2] for d in (0, 1)])
    with pytest.raises(ValueError, match="part is empty: 4 samples"):
        scar.characterize(features[rows], labels[rows])


def test_a_negative_budget_is_refused(answer):
    with pytest.raises(ValueError, match="budget=-1"):
        answer.plan(budget=-1)


@pytest.mark.parametrize(
    "selection", ["random", "k_center", "facility_location", "herding", "margin", "semantic_dedup"]
)
def test_planners_and_selections_are_found_by_name(answer, selection):
    plan = answer.plan(30, "water_filling", selection=selection)
    assert len(plan.rows) == len(plan.scores) == 30 == plan.cost
    assert np.array_equal(np.bincount(answer.pool[plan.rows], minlength=10), plan.allocation.counts)
    assert np.isfinite(plan.scores).any() == (selection != "random")
    with pytest.raises(
        ValueError, match="planner='best' is unknown; use one of scar, scar_class_mix, scar_even, tempered, random"
    ):
        answer.plan(30, "best")


def test_a_plan_in_money_says_what_it_costs_and_what_it_promises(answer):
    from scar.completion.budgets import BudgetsConfig

    prices = BudgetsConfig(unit="money", costs={NAMES[0]: 10.0}, maximum={NAMES[1]: 2})
    plan = answer.plan(60, "class_average", budgets=prices)
    assert plan.cost <= 60
    assert plan.allocation.counts[1] <= 2
    promised = plan.expected
    assert promised.index.tolist() == list(FORECASTS)
    told = promised[promised.refused == ""]
    assert set(promised.index) - set(told.index) == {"balanced_accuracy", "balanced_gain"}
    assert set(promised.refused) == {"", "not_calibrated"}
    assert (told.low < told.value).all()
    assert (told.value < told.high).all()
    ahead = answer.what_if([20, 60], "class_average", budgets=prices)
    assert ahead.loc[60, "cost"] == plan.cost
    assert ahead.loc[60, "matched_gain_low"] == promised.low["matched_gain"]
    assert ahead.matched_gain.is_monotonic_increasing


def test_any_additions_can_be_asked_for_and_nothing_brings_nothing(answer):
    nothing = answer.expect(np.zeros(10, int))
    assert nothing.value[["gain", "matched_gain", "matched_balanced_gain"]].tolist() == [0.0] * 3
    starved = answer.counts.argmin()
    added = np.zeros(10, int)
    added[starved] = 40
    assert answer.expect(added).value["matched_balanced_gain"] > 0
    with pytest.raises(ValueError, match=r"add=\[1, 2\] must be 10 whole numbers of at least 0"):
        answer.expect([1, 2])


def test_probes_that_are_no_optima_refuse_to_forecast_by_name(digits):
    features, labels = digits
    answer = scar.characterize(features[:600], labels[:600], probe=ProbeConfig.linear(max_epochs=3))
    ahead = answer.expect(np.full(10, 5))
    assert ahead.value.isna().all()
    assert set(ahead.refused) == {"not_at_optimum"}


def test_labels_of_pool_and_test_are_matched_by_value(digits):
    features, labels = digits
    names, train = np.array([str(label + 1) for label in labels]), slice(1200)
    rest = {"test": (features[1500:], labels[1500:] + 1), "pool_embeddings": features[1200:1500]}
    answer = scar.characterize(features[train], names[train], pool_labels=labels[1200:1500] + 1, **rest)
    assert answer.class_names == tuple(sorted(map(str, range(1, 11))))
    assert answer.test_scores.accuracy > 0.85
    assert [answer.class_names[k] for k in answer.pool[:20]] == names[1200:1220].tolist()
    with pytest.raises(ValueError, match=r"test labels\[\d+\]: the label '0' is none of the classes 1, 10, 2"):
        scar.characterize(features[train], names[train], test=(features[1500:], labels[1500:]))


def test_a_budget_below_one_is_a_share_of_the_pool(answer):
    few, share = answer.plan(round(0.25 * answer.pool_size)), answer.plan(0.25)
    assert share.counts.tolist() == few.counts.tolist()
    assert share.counts.sum() > 0
    for budget, message in (("30", "budget='30' must be a number"), (2.5, "whole number"), (True, "budget=True")):
        with pytest.raises(ValueError, match=message):
            answer.plan(budget)


def test_a_share_needs_a_pool(digits):
    features, labels = digits[0][:600], digits[1][:600]
    with pytest.raises(ValueError, match=r"budget=0\.25 is a share of a pool, and there is none"):
        scar.characterize(features, labels).plan(0.25)


def test_a_round_buys_what_a_target_needs_and_learns_from_the_last(answer):
    now = answer.test_scores.matched_balanced_accuracy
    assert answer.next_round(now).action == "reached"
    far = answer.next_round(0.9999)
    assert far.action in ("stop", "buy")
    near = answer.next_round(now + 0.002, confidence=0.6)
    assert near.action in ("stop", "buy")
    assert near.counts.sum() == near.cost
    assert len(near.to_buy) == len(answer.class_names)
    assert (near.prospects.cost.diff().dropna() >= 0).all()
    with pytest.raises(ValueError, match="score='worst_class_accuracy' is not forecast"):
        answer.next_round(0.9, score="worst_class_accuracy")
    with pytest.raises(ValueError, match=r"target=90 must be a share"):
        answer.next_round(90)


def test_planners_are_compared_by_forecast(answer):
    found = answer.recommend(60)
    assert set(found.index) == {"tempered", "scar", "class_average", "water_filling"}
    assert found.gain.max() - found.gain.iloc[0] <= 0.001
    assert (found.low < found.gain).all()
    assert (found.refused == "").all()
    same = answer.plan(60, found.index[0]).expected.loc["matched_balanced_gain"]
    assert found.gain.iloc[0] == same.value
    named = answer.recommend(60, ["class_average", "class_average"])
    assert list(named.index) == ["class_average", "class_average"]
    with pytest.raises(ValueError, match="score='beauty'"):
        answer.recommend(60, score="beauty")


@pytest.mark.parametrize("kind", [np.bytes_, object])
def test_labels_that_are_no_text_are_named(kind):
    labels = np.array([b"cat", b"dog", b"\x80"] * 20, dtype=kind)
    with pytest.raises(ValueError, match=r"labels hold b'\\x80', which is not UTF-8"):
        scar.characterize(np.random.default_rng(0).normal(size=(60, 3)), labels)


def test_classes_that_pool_and_test_alone_have_are_known_and_the_most_needy():
    rng = np.random.default_rng(0)
    names, centres = np.array(list("abcde")), 1.5 * np.eye(5, 8)

    def draw(size, *classes):
        labels = np.repeat(classes, size)
        return (centres[labels] + rng.normal(size=(len(labels), 8)) * 0.6).astype(np.float32), names[labels]

    (now, labels), (pool, pool_labels), test = draw(60, 0, 1, 3), draw(30, 0, 2, 4), draw(30, 0, 1, 2)
    with pytest.warns(UserWarning, match="2 classes have no sample, and are known: c, e"):
        answer = scar.characterize(
            now, labels, pool_embeddings=pool, pool_labels=pool_labels, test=test,
            forecast=ForecastConfig(compositions=30, seeds="all"),
        )  # fmt: skip
    assert answer.class_names == tuple("abcde")
    assert answer.counts[[2, 4]].tolist() == [0, 0]
    plan = answer.plan(30)
    assert plan.counts[["c", "e"]].min() >= max(plan.counts[["a", "b", "d"]].max(), 10)
    assert {"unseen:2", "unseen:4"} <= set(plan.allocation.flags)
    assert np.array_equal(np.bincount(np.searchsorted(names, pool_labels[plan.rows]), minlength=5), plan.counts)
    assert set(plan.expected.refused[plan.expected.value.isna()]) == {"unseen_class"}
    assert "has no sample of 2 classes (c and e)" in answer.decision.quality
    assert "2 classes (d and e) cannot be judged without test items" in answer.decision.quality
    with pytest.warns(UserWarning, match="1 classes have no sample, and are known: c"):
        scar.characterize(now, np.searchsorted(["a", "b", "d"], labels), class_names=["a", "b", "d", "c"])
    with pytest.raises(
        ValueError, match=r"pool_labels\[0\]: the label 'A' is none of the classes .* differs in case only"
    ):
        scar.characterize(now, labels, pool_embeddings=pool, pool_labels=np.char.upper(pool_labels))

"""The pool has the mix that was asked for, is as large as that allows, and takes nothing that is used already."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scar.data.stratify import within_class_rank
from scar.sampling.pool_mix import MIXES, Stock, fit_mix
from scar.sampling.regimes.long_tailed import LongTailed
from scar.sampling.regimes.missing_class import MissingClass
from scar.sampling.regimes.noisy_labels import NoisyLabels
from scar.sampling.regimes.regime import Natural, Regime
from scar.sampling.regimes.shift import Shift
from scar.sampling.splits import SplitConfig, draw_split

FIXED = ("validation", "heldout", "test", "primary", "labels")
SIZES = (700, 500, 400, 250, 150)
NAMES = tuple("abcde")


def stock(regime, *, seed=0, sizes=SIZES, groups=None, **shares):
    """The unused samples of data with classes of these sizes, a tenth of them test."""
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    cut = round(0.9 * len(labels))
    train, test = np.arange(cut), np.arange(cut, len(labels))
    split = draw_split(labels, train=train, test=test, config=SplitConfig(**shares), seed=seed, groups=groups)
    features = np.random.default_rng(2).normal(size=(len(labels), 3))
    return Stock(
        split=regime.apply(split, num_classes=len(sizes), seed=seed, features=features),
        regime=regime,
        training=np.bincount(labels[train], minlength=len(sizes)),
        names=NAMES[: len(sizes)],
        seed=seed,
        groups=groups,
    )


def admissible(regime):
    return [mix for mix in MIXES if mix not in regime.refused_mixes]


REGIMES = (Natural(), LongTailed(ratio=20), LongTailed(ratio=2), MissingClass(classes=1), NoisyLabels(), Shift())
CASES = [(regime, mix) for regime in REGIMES for mix in admissible(regime)]


@given(
    st.integers(1, 8).flatmap(
        lambda k: st.tuples(*[st.lists(st.integers(0, 40), min_size=k, max_size=k) for _ in range(2)])
    ),
    st.integers(0, 5),
)
def test_sizes_are_the_largest_that_keep_the_mix_to_less_than_a_sample(counts, seed):
    shares, available = map(np.array, counts)
    if not shares.any():
        return
    sizes = fit_mix(shares, available, np.random.default_rng(seed))
    wanted = shares / shares.sum()
    assert (sizes >= 0).all()
    assert (sizes <= available).all()
    assert (sizes[shares == 0] == 0).all()
    assert (np.abs(sizes - sizes.sum() * wanted) < 1).all()
    for size in range(int(sizes.sum()) + 1, int(available.sum()) + 1):  # no larger pool rounds every share down or up
        down, up = shares * size // shares.sum(), -(-shares * size // shares.sum())
        assert (down > available).any() or np.minimum(up, available).sum() < size


def test_the_rest_goes_to_the_largest_remainders():
    assert fit_mix(np.array([5, 3, 2]), np.array([3, 9, 9]), np.random.default_rng(0)).tolist() == [3, 2, 2]
    assert fit_mix(np.array([1, 999]), np.array([0, 5000]), np.random.default_rng(0)).sum() == 999


@pytest.mark.parametrize(("regime", "mix"), CASES, ids=lambda each: getattr(each, "name", each))
def test_a_pool_takes_unused_samples_only_and_changes_no_other_part(regime, mix):
    given_stock = stock(regime)
    before = given_stock.split
    after = given_stock.draw(mix)
    for part in FIXED:
        assert np.array_equal(getattr(after, part), getattr(before, part)), part
    assert np.isin(after.reserve, before.reserve).all()
    assert (np.diff(after.reserve) > 0).all()
    assert np.array_equal(after.total, np.union1d(after.primary, after.reserve))
    again, other = stock(regime).draw(mix), stock(regime, seed=1).draw(mix)
    assert np.array_equal(again.reserve, after.reserve)
    assert not np.array_equal(other.reserve, after.reserve)


def shares_of(counts):
    return counts / counts.sum()


@pytest.mark.parametrize("regime", [LongTailed(ratio=20), LongTailed(ratio=2)], ids=lambda regime: str(regime.ratio))
def test_the_mix_holds_within_rounding_and_the_scarcest_class_is_used_up(regime):
    given_stock = stock(regime)
    split, available = given_stock.split, given_stock.split.class_sizes("reserve", 5)
    wanted = {
        "same": shares_of(split.class_sizes("primary", 5)),
        "natural": shares_of(given_stock.training),
        "balanced": np.full(5, 0.2),
    }
    for mix, shares in wanted.items():
        sizes = given_stock.draw(mix).class_sizes("reserve", 5)
        assert (np.abs(sizes - sizes.sum() * shares) < 1).all(), mix
        assert (sizes == available).any(), mix
    assert np.array_equal(given_stock.draw("complement").reserve, split.reserve)
    assert len(set(given_stock.draw("balanced").class_sizes("reserve", 5))) == 1


def test_where_the_regime_keeps_the_mix_nothing_is_left_out():
    for regime in (Natural(), NoisyLabels(), Shift()):
        given_stock = stock(regime)
        for mix in ("same", "natural"):
            assert given_stock.draw(mix) is not None
            assert np.array_equal(given_stock.draw(mix).reserve, given_stock.split.reserve)


def test_missing_classes_come_back_with_their_share_or_with_all_that_is_unused():
    given_stock = stock(MissingClass(classes=1))
    absent = given_stock.split.class_sizes("primary", 5) == 0
    natural, complement = (given_stock.draw(mix).class_sizes("reserve", 5) for mix in ("natural", "complement"))
    assert np.allclose(shares_of(natural), shares_of(given_stock.training), atol=1 / natural.sum())
    assert 0 < natural[absent].sum() < complement[absent].sum()
    assert np.array_equal(complement, given_stock.split.class_sizes("reserve", 5))


def test_pools_of_a_seed_share_samples():
    given_stock = stock(LongTailed(ratio=20))
    classes = given_stock.split.labels
    same, balanced = given_stock.draw("same").reserve, given_stock.draw("balanced").reserve
    for k in range(5):
        ours, theirs = same[classes[same] == k], balanced[classes[balanced] == k]
        assert len(np.intersect1d(ours, theirs)) == min(len(ours), len(theirs))


def test_the_sizes_of_all_pools_are_known_without_drawing_the_own_one():
    regime = MissingClass(classes=1)
    sizes = stock(regime).class_sizes(MIXES)
    drawn = [stock(regime).draw(mix).class_sizes("reserve", 5) for mix in admissible(regime)]
    assert len(drawn) == 3
    assert np.array_equal(sizes, drawn)


def test_groups_stay_whole():
    labels = stock(Natural()).split.labels
    groups = np.char.add(labels.astype(str), np.char.add("-", (within_class_rank(labels) // 4).astype(str)))
    given_stock = stock(Natural(), groups=groups)
    chosen = given_stock.draw("balanced")
    left_out = np.setdiff1d(given_stock.split.reserve, chosen.reserve)
    assert len(left_out) > 100
    assert not np.isin(groups[left_out], groups[chosen.reserve]).any()
    sizes = chosen.class_sizes("reserve", 5)
    assert sizes.max() - sizes.min() < 4


@pytest.mark.parametrize(
    ("regime", "mix", "message"),
    [
        (MissingClass(), "same", r"pool\.mix=same with regime=missing_class: .* use pool\.mix=natural"),
        (Natural(), "complement", r"pool\.mix=complement with regime=natural: .* use pool\.mix=natural"),
        (NoisyLabels(), "complement", r"pool\.mix=complement with regime=noisy"),
        (Shift(), "complement", r"pool\.mix=complement with regime=shift"),
    ],
)
def test_a_mix_without_a_meaning_is_refused(regime, mix, message):
    given_stock = stock(regime)
    with pytest.raises(ValueError, match=message):
        given_stock.draw(mix)


def test_a_class_that_is_used_up_is_named():
    given_stock = stock(LongTailed(), sizes=(900, 300, 2), primary=0.9)
    assert given_stock.split.class_sizes("reserve", 3)[2] == 0
    with pytest.raises(ValueError, match=r"pool\.mix=balanced leaves no pool: 0 unused .* class 'c'; use pool\.mix="):
        given_stock.draw("balanced")
    assert len(given_stock.class_sizes(MIXES)) == 3, "a pool that there cannot be does not count"


def test_a_regime_of_ones_own_has_the_pool_of_the_data():
    class Halved(Regime):
        def apply(self, split, *, num_classes, seed, features=None):
            rows = split.primary
            half = rows[(split.labels[rows] > 0) | (np.arange(len(rows)) % 2 == 0)]
            return split.with_parts(primary=half, reserve=np.union1d(split.reserve, np.setdiff1d(rows, half)))

    assert Halved.pool_mix == "natural"
    given_stock = stock(Halved(name="halved"))
    sizes = given_stock.draw("natural").class_sizes("reserve", 5)
    assert np.allclose(shares_of(sizes), shares_of(given_stock.training), atol=1 / sizes.sum())
    assert sizes.sum() < len(given_stock.split.reserve)

"""Every regime moves or mislabels exactly what it says, and nothing else."""

import numpy as np
import pytest

from scar.sampling.regimes.long_tailed import LongTailed
from scar.sampling.regimes.missing_class import MissingClass
from scar.sampling.regimes.noisy_labels import NoisyLabels
from scar.sampling.regimes.regime import Natural, Regime
from scar.sampling.regimes.shift import Shift
from scar.sampling.splits import Split, SplitConfig, draw_split

FIXED = ("validation", "heldout", "test")


def draw(labels, seed=0):
    cut = round(0.8 * len(labels))
    return draw_split(labels, train=np.arange(cut), test=np.arange(cut, len(labels)), config=SplitConfig(), seed=seed)


@pytest.fixture
def labels():
    return np.random.default_rng(0).permutation(np.repeat(np.arange(4), [500, 300, 150, 50]))


@pytest.fixture
def features(labels):
    """The first axis varies within every class, the second tells the classes apart and varies far less within."""
    rng = np.random.default_rng(1)
    return np.stack([rng.normal(0, 3, len(labels)), 10.0 * labels + rng.normal(0, 0.1, len(labels))], axis=1)


def test_a_regime_that_does_not_say_what_it_does_cannot_be_made():
    with pytest.raises(TypeError, match="abstract method"):
        Regime(name="none")


def test_the_natural_regime_changes_nothing(labels):
    split = draw(labels)
    assert Natural().apply(split, num_classes=4, seed=0) is split


def test_the_long_tail_moves_samples_to_the_reserve_and_keeps_the_total():
    labels = np.tile(np.arange(10), 1000)
    split = draw_split(labels, train=np.arange(8000), test=np.arange(8000, 10000), config=SplitConfig(), seed=3)
    tailed = LongTailed(ratio=20).apply(split, num_classes=10, seed=3)
    sizes = np.sort(tailed.class_sizes("primary", 10))[::-1]
    assert sizes[0] / sizes[-1] == pytest.approx(20, rel=0.05)
    ranks = np.arange(10)
    assert np.allclose(sizes, sizes[0] * 20 ** (-ranks / 9), atol=1)
    assert np.array_equal(tailed.total, split.total)
    for part in ("validation", "heldout", "test"):
        assert np.array_equal(getattr(tailed, part), getattr(split, part))


def test_which_class_is_rare_is_drawn_from_the_seed():
    labels = np.tile(np.arange(10), 500)
    split = draw_split(labels, train=np.arange(4000), test=np.arange(4000, 5000), config=SplitConfig(), seed=0)
    rare = {
        int(LongTailed().apply(split, num_classes=10, seed=s).class_sizes("primary", 10).argmin()) for s in range(8)
    }
    assert len(rare) > 3


def test_a_tail_below_one_is_refused():
    with pytest.raises(ValueError, match=r"regime.ratio=0.5"):
        LongTailed(ratio=0.5)


REGIMES = (LongTailed(ratio=50), MissingClass(classes=1), NoisyLabels(rate=0.4), Shift())


@pytest.mark.parametrize("regime", REGIMES, ids=lambda r: r.name)
def test_a_regime_keeps_the_union_and_the_other_parts_and_repeats_itself(labels, features, regime):
    split = draw(labels)
    before = {name: rows.copy() for name, rows in vars(split).items()}
    changed = regime.apply(split, num_classes=4, seed=5, features=features)
    assert np.array_equal(changed.total, split.total)
    for part in FIXED:
        assert np.array_equal(getattr(changed, part), getattr(split, part))
    assert any(not np.array_equal(getattr(changed, name), rows) for name, rows in before.items())
    assert all(np.array_equal(getattr(split, name), rows) for name, rows in before.items()), "the input was changed"
    again = regime.apply(split, num_classes=4, seed=5, features=features)
    other = regime.apply(split, num_classes=4, seed=6, features=features)
    assert all(np.array_equal(getattr(again, name), getattr(changed, name)) for name in before)
    assert regime.name == "missing_class" or any(
        not np.array_equal(getattr(other, name), getattr(changed, name)) for name in before
    )


def test_missing_classes_are_absent_from_the_primary_set_and_all_in_the_reserve():
    labels = np.tile(np.arange(10), 300)
    split = draw(labels)
    found = MissingClass(classes=3).apply(split, num_classes=10, seed=1)
    sizes = found.class_sizes("primary", 10)
    absent = np.flatnonzero(sizes == 0)
    assert len(absent) == 3
    both = split.class_sizes("primary", 10) + split.class_sizes("reserve", 10)
    assert np.array_equal(found.class_sizes("reserve", 10)[absent], both[absent])
    kept = np.setdiff1d(np.arange(10), absent)
    assert np.array_equal(sizes[kept], split.class_sizes("primary", 10)[kept])
    choices = {
        tuple(np.flatnonzero(MissingClass().apply(split, num_classes=10, seed=s).class_sizes("primary", 10) == 0))
        for s in range(8)
    }
    assert len(choices) > 4


def test_a_probe_needs_two_classes(labels):
    with pytest.raises(ValueError, match=r"regime\.classes=3 would leave 1 of 4"):
        MissingClass(classes=3).apply(draw(labels), num_classes=4, seed=0)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.4])
def test_noise_is_exact_even_over_the_other_classes_and_only_where_one_labelled_carelessly(rate):
    labels = np.tile(np.arange(5), 2000)
    split = draw(labels)
    noisy = NoisyLabels(rate=rate).apply(split, num_classes=5, seed=0)
    for part in ("primary", "validation"):
        rows = getattr(split, part)
        assert np.count_nonzero(noisy.labels[rows] != labels[rows]) == round(rate * len(rows))
    for part in ("reserve", "heldout", "test"):
        rows = getattr(split, part)
        assert np.array_equal(noisy.labels[rows], labels[rows])
    wrong = split.primary[noisy.labels[split.primary] != labels[split.primary]]
    moves = np.bincount((noisy.labels[wrong] - labels[wrong]) % 5, minlength=5)
    assert moves[0] == 0
    assert np.allclose(moves[1:] / len(wrong), 0.25, atol=0.05)


def test_a_shift_keeps_every_class_size_and_parts_each_class_along_one_axis(labels, features):
    split = draw(labels)
    cut = Shift(strength=1.0, directions=1).apply(split, num_classes=4, seed=0, features=features)
    assert np.array_equal(cut.class_sizes("primary", 4), split.class_sizes("primary", 4))
    for k in range(4):
        ours, theirs = (features[part[labels[part] == k], 0] for part in (cut.primary, cut.reserve))
        assert ours.max() <= theirs.min() or theirs.max() <= ours.min()
    gaps = []
    for strength in (0.0, 0.5, 1.0):
        part = Shift(strength=strength, directions=1).apply(split, num_classes=4, seed=0, features=features)
        gaps.append(abs(features[part.primary, 0].mean() - features[part.reserve, 0].mean()))
    assert gaps[0] < 0.5 < gaps[1] < gaps[2]


def test_a_shift_without_embeddings_says_what_is_missing(labels):
    with pytest.raises(ValueError, match="give features"):
        Shift().apply(draw(labels), num_classes=4, seed=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MissingClass(classes=0), r"regime\.classes=0"),
        (lambda: NoisyLabels(rate=1.0), r"regime\.rate=1\.0"),
        (lambda: Shift(strength=1.5), r"regime\.strength=1\.5"),
        (lambda: Shift(directions=0), r"regime\.directions=0"),
    ],
)
def test_impossible_regimes_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_split_with_wrong_labels_survives_the_disk(labels, tmp_path):
    noisy = NoisyLabels().apply(draw(labels), num_classes=4, seed=0)
    noisy.save(tmp_path / "split.npz")
    assert np.array_equal(Split.load(tmp_path / "split.npz").labels, noisy.labels)

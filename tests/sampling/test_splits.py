import numpy as np
import pytest

from scar.sampling.splits import Split, SplitConfig, draw_split

PARTS = ("validation", "heldout", "primary", "reserve", "test")


@pytest.fixture
def labels():
    return np.random.default_rng(0).permutation(np.repeat(np.arange(4), [500, 300, 150, 50]))


def draw(labels, seed=0, groups=None, **settings):
    train, test = np.arange(800), np.arange(800, 1000)
    return draw_split(labels, train=train, test=test, config=SplitConfig(**settings), seed=seed, groups=groups)


def test_parts_are_disjoint_complete_and_of_the_right_size(labels):
    split = draw(labels)
    rows = np.concatenate([getattr(split, part) for part in PARTS])
    assert np.array_equal(np.sort(rows), np.arange(1000))
    assert [len(getattr(split, part)) for part in PARTS] == [80, 80, 384, 256, 200]
    assert np.array_equal(split.total, np.sort(np.concatenate([split.primary, split.reserve])))


def test_parts_keep_the_class_mix(labels):
    split = draw(labels)
    whole = np.bincount(labels[:800]) / 800
    for part in ("validation", "heldout", "primary", "reserve"):
        counts = split.class_sizes(part, 4)
        assert np.all(np.abs(counts - whole * counts.sum()) <= 2)


def test_a_seed_redraws_every_part_but_the_test_part(labels):
    first, second = draw(labels, seed=0), draw(labels, seed=1)
    for part in PARTS[:4]:
        assert not np.array_equal(getattr(first, part), getattr(second, part))
    assert np.array_equal(first.test, second.test)


def test_a_fixed_split_seed_is_the_same_for_every_job(labels):
    first, second = draw(labels, seed=0, **{}), draw(labels, seed=0)
    assert np.array_equal(first.primary, second.primary)
    fixed = [
        draw_split(labels, train=np.arange(800), test=np.arange(800, 1000), config=SplitConfig(seed=42), seed=s)
        for s in (0, 1)
    ]
    assert np.array_equal(fixed[0].primary, fixed[1].primary)


def test_groups_stay_on_one_side(labels):
    groups = np.array([f"g{i // 5}" for i in range(1000)])
    split = draw(labels, groups=groups)
    homes = {}
    for part in PARTS:
        for group in groups[getattr(split, part)]:
            assert homes.setdefault(group, part) == part
    assert len(split.validation) == pytest.approx(80, abs=15)
    assert len(split.primary) == pytest.approx(384, abs=15)


def test_an_empty_part_is_an_error_that_names_it():
    labels = np.array([0, 1, 0, 1])
    with pytest.raises(ValueError, match="heldout part is empty: 4 samples"):
        draw_split(labels, train=np.arange(3), test=np.array([3]), config=SplitConfig(), seed=0)
    with pytest.raises(ValueError, match="test part is empty"):
        draw_split(np.tile([0, 1], 50), train=np.arange(100), test=np.arange(0), config=SplitConfig(), seed=0)


@pytest.mark.parametrize("settings", [{"validation": 0.6}, {"heldout": -0.1}, {"primary": 1.0}])
def test_impossible_shares_are_refused_by_name(settings):
    with pytest.raises(ValueError, match=f"split.{next(iter(settings))}="):
        SplitConfig(**settings)


def test_a_split_survives_the_disk(labels, tmp_path):
    split = draw(labels)
    split.save(tmp_path / "split.npz")
    read = Split.load(tmp_path / "split.npz")
    for part in (*PARTS, "labels"):
        assert np.array_equal(getattr(split, part), getattr(read, part))


def test_a_sample_is_divided_and_the_rest_is_in_no_part():
    labels = np.repeat(np.arange(4), [800, 400, 200, 200])
    train, test = np.arange(0, 1600, 2), np.arange(1, 1600, 2)
    config = SplitConfig(train_size=200, test_size=100)
    split = draw_split(labels, train=train, test=test, config=config, seed=3)
    parts = [split.validation, split.heldout, split.primary, split.reserve]
    used = np.concatenate(parts)
    assert len(used) == len(np.unique(used)) == 200
    assert np.isin(used, train).all()
    assert np.bincount(labels[used]).tolist() == [100, 50, 25, 25]
    assert np.bincount(labels[split.test]).tolist() == [50, 25, 12, 13] or len(split.test) == 100
    again = draw_split(labels, train=train, test=test, config=config, seed=4)
    assert np.array_equal(again.test, split.test)
    assert not np.array_equal(again.primary, split.primary)


@pytest.mark.parametrize(("field", "size"), [("train_size", 0), ("test_size", -1)])
def test_a_sample_without_samples_is_refused(field, size):
    with pytest.raises(ValueError, match=f"split.{field}={size} must be at least 1"):
        SplitConfig(**{field: size})


def test_a_sample_larger_than_the_data_is_refused():
    labels = np.zeros(20, np.int64)
    with pytest.raises(
        ValueError, match=r"split.train_size=30 is more than the 10 samples of that part; null takes all"
    ):
        draw_split(labels, train=np.arange(10), test=np.arange(10, 20), config=SplitConfig(train_size=30), seed=0)

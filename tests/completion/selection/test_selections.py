import numpy as np
import pytest

from scar.completion.by_name import SELECTIONS, find_selection
from scar.completion.plan import random_order, take_first
from scar.completion.selection import _memory_needs as memory
from scar.completion.selection import _similarities as neighbours
from scar.completion.selection._memory_needs import planned_bytes
from scar.completion.selection.candidates import make_pool
from scar.completion.selection.facility_location import FacilityLocationSelection, lazy_greedy
from scar.completion.selection.herding import HerdingSelection, herd
from scar.completion.selection.k_center import KCenterSelection, farthest_first
from scar.completion.selection.margin import MarginSelection
from scar.completion.selection.random_order import RandomSelection
from scar.completion.selection.selection import Pool
from scar.completion.selection.semantic_dedup import SemanticDedupSelection

every_selection = pytest.mark.parametrize("selection", list(SELECTIONS.values()), ids=lambda s: s.name)


def directions(*degrees):
    """Rows of length 2 in the plane."""
    angles = np.radians(np.array(degrees, float))
    return 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def random_pool(size=90, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return Pool(
        features=rng.normal(size=(size, 6)).astype(np.float32),
        classes=rng.integers(0, classes, size),
        anchors=rng.normal(size=(30, 6)).astype(np.float32),
        anchor_classes=rng.integers(0, classes, 30),
        margins=rng.random(size),
        gradients=rng.random(size),
    )


@every_selection
def test_a_ranking_is_a_permutation_and_a_larger_count_contains_a_smaller_one(selection):
    pool = random_pool()
    taken = {}
    for count in (3, 10):
        counts = np.array([count, count, 0])
        order = selection.rank(pool, counts).order
        assert np.array_equal(np.sort(order), np.arange(90))
        taken[count] = set(take_first(order, pool.classes[order], counts))
        assert len(taken[count]) == 2 * count
    assert taken[3] <= taken[10]


@every_selection
def test_more_is_asked_for_than_there_is_and_of_a_class_that_is_not_there(selection):
    order = selection.rank(random_pool(classes=2), np.array([1000, 5, 7])).order
    assert np.array_equal(np.sort(order), np.arange(90))


def test_random_is_the_shared_order_of_the_seed():
    reserve = np.arange(100, 160)
    order = random_order(reserve, 5)
    pool = Pool(features=None, classes=np.zeros(60, np.int64))
    assert np.array_equal(order[RandomSelection().rank(pool, np.array([9])).order], order)
    from scar.common.randomness import generator

    assert np.array_equal(order, generator(5, "selection").permutation(reserve))


def test_farthest_first_starts_in_the_middle_and_goes_to_the_ends():
    pool = Pool(features=directions(0, 5, 40, 45, 50, 80), classes=np.zeros(6, np.int64))
    ranking = KCenterSelection().rank(pool, np.array([3]))
    assert ranking.order[0] in (2, 3)
    assert set(ranking.order[1:3]) == {0, 5}
    assert np.isnan(ranking.scores[ranking.order[0]])
    assert ranking.scores[5] > 0.5


def test_farthest_first_keeps_away_from_what_is_there():
    pool = Pool(
        features=directions(0, 10, 90),
        classes=np.zeros(3, np.int64),
        anchors=directions(85, 5),
        anchor_classes=np.array([0, 1]),  # the one at 5° belongs to another class
    )
    assert KCenterSelection().rank(pool, np.array([1])).order[0] == 0


def test_farthest_first_is_within_twice_the_best_radius():
    rows = random_pool(40).features
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    taken, _ = farthest_first(rows, np.full(40, np.inf, np.float32), 6)
    radius = lambda centres: np.linalg.norm(rows[:, None] - rows[centres][None], axis=2).min(axis=1).max()  # noqa: E731
    rng = np.random.default_rng(0)
    best = min(radius(rng.choice(40, 6, replace=False)) for _ in range(500))
    assert len(set(taken)) == 6
    assert radius(taken) <= 2 * best


def test_lazy_greedy_takes_what_plain_greedy_takes():
    rows = random_pool(50).features
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    similar = np.maximum(rows @ rows.T, 0).astype(float)
    best, plain = np.zeros(50), []
    for _ in range(12):
        gains = np.maximum(similar - best[:, None], 0).sum(axis=0)
        plain.append(int(np.argmax(gains)))
        best = np.maximum(best, similar[:, plain[-1]])
    taken, gains = lazy_greedy(rows, 12, 50)
    assert taken.tolist() == plain
    assert np.all(np.diff(gains) <= 1e-9)


def test_facility_location_stands_for_the_large_cluster_first_and_then_for_the_other():
    pool = Pool(features=directions(0, 1, 2, 3, 90, 91), classes=np.zeros(6, np.int64))
    first, second = FacilityLocationSelection(neighbours=6).rank(pool, np.array([2])).order[:2]
    assert first < 4 <= second


def test_herding_follows_the_mean_closer_than_chance():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(400, 8)).astype(np.float32) + 1
    taken, _ = herd(rows, 30)
    distance = lambda chosen: np.linalg.norm(rows[chosen].mean(axis=0) - rows.mean(axis=0))  # noqa: E731
    chance = [distance(rng.choice(400, 30, replace=False)) for _ in range(200)]
    assert len(set(taken)) == 30
    assert distance(taken) < min(chance)
    pool = Pool(features=rows, classes=np.zeros(400, np.int64))
    assert HerdingSelection().rank(pool, np.array([5])).scores[:1].shape == (1,)


def test_margin_takes_the_least_sure_first_or_last():
    pool = Pool(features=None, classes=np.array([0, 0, 0, 1]), margins=np.array([0.5, 0.1, 0.9, 0.0]))
    assert MarginSelection().rank(pool, np.array([2, 0])).order[:2].tolist() == [1, 0]
    assert MarginSelection(smallest_first=False).rank(pool, np.array([2, 0])).order[:2].tolist() == [2, 0]
    with pytest.raises(ValueError, match="selection=margin"):
        MarginSelection().rank(Pool(features=None, classes=np.zeros(2, np.int64)), np.array([1]))


def test_near_duplicates_come_last_the_nearest_at_the_very_end():
    pool = Pool(
        features=directions(0, 90, 0.1, 60, 8, 30),
        classes=np.zeros(6, np.int64),
        anchors=directions(60.5),
        anchor_classes=np.zeros(1, np.int64),
    )
    ranking = SemanticDedupSelection(threshold=0.98).rank(pool, np.array([6]))
    assert ranking.order.tolist() == [0, 1, 5, 4, 3, 2]
    assert ranking.scores[2] == pytest.approx(np.cos(np.radians(0.1)), abs=1e-6)


def test_chunks_do_not_change_what_is_selected(monkeypatch):
    pool, counts = random_pool(200), np.array([20, 20, 20])
    whole = {s.name: s.rank(pool, counts).order for s in SELECTIONS.values()}
    monkeypatch.setattr(memory, "CHUNK_BYTES", 4 * 7)
    for selection in SELECTIONS.values():
        assert np.array_equal(selection.rank(pool, counts).order, whole[selection.name]), selection.name


def test_approximate_neighbours_find_nearly_all_of_the_exact_ones(monkeypatch):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20, 16))[rng.integers(0, 20, 3000)] + 0.2 * rng.normal(size=(3000, 16))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    exact = neighbours.nearest(rows, rows, 8)[1]
    monkeypatch.setattr(neighbours, "APPROXIMATE_FROM", 1000)
    found = neighbours.nearest(rows, rows, 8)[1]
    assert np.mean([len(set(a) & set(b)) / 8 for a, b in zip(exact, found, strict=True)]) > 0.95


@every_selection
def test_a_million_samples_in_a_hundred_classes_stay_below_8_gibibytes(selection):
    planned = planned_bytes(selection, np.repeat(np.arange(100), 10_000), 256, anchors=100_000)
    assert planned < 8 * 2**30
    assert (planned == 0) == (selection.name == "random")


def test_a_large_plan_is_announced(capsys):
    size = memory.announce(KCenterSelection(), np.zeros(2_000_000, np.int64), 512)
    assert size > memory.WORTH_SAYING
    assert "selection=k_center: 2,000,000 samples" in capsys.readouterr().out


def test_only_what_a_selection_looks_at_is_gathered():
    rows, anchors = np.array([3, 1]), np.array([0, 2])
    given = {"rows": rows, "classes": rows * 0, "anchors": anchors, "anchor_classes": anchors * 0}
    features = random_pool(4).features
    assert make_pool(RandomSelection(), features, **given) is None
    pool = make_pool(KCenterSelection(), features, **given)
    assert np.array_equal(pool.features, features[rows])
    assert pool.margins is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FacilityLocationSelection(neighbours=0), r"selection\.neighbours=0"),
        (lambda: SemanticDedupSelection(threshold=1.5), r"selection\.threshold=1\.5"),
        (lambda: find_selection("best"), r"selection='best' is unknown; use one of random, k_center"),
        (lambda: KCenterSelection().rank(Pool(features=None, classes=np.zeros(1, int)), np.ones(1, int)), "k_center"),
    ],
)
def test_what_cannot_be_done_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()

"""Clusters of one modality as labels of the other: recovery, independence of order and test part, and faults."""

import numpy as np
import pytest
from planted_pairs import WORDS, PlantedPairs, planted_job
from sklearn.metrics import adjusted_rand_score

from scar.pairs.supervision import Supervision, check_pairs

MODALITIES = ("image", "text")


def total_accuracy(job):
    return next(
        result.accuracy for arm, result in ((arm, arm.scores.value) for arm in job.arms) if arm.subject == "total"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("planted")


@pytest.mark.parametrize("modality", MODALITIES)
def test_shared_latent_classes_are_recovered_in_both_directions(folder, modality):
    job = planted_job(folder, modality)
    assert adjusted_rand_score(PlantedPairs().latent(), job.steps.labels) > 0.98
    assert total_accuracy(job) > 0.95
    seen = job.observations("total")
    assert np.nanmean(seen.authenticity[seen.factors == 1]) > 0.97


@pytest.mark.parametrize("modality", MODALITIES)
def test_shuffled_pairs_fall_to_the_majority_rate(folder, modality):
    job = planted_job(folder, modality, shuffled=True)
    test = job.split.labels[job.split.test]
    majority = np.bincount(test).max() / len(test)
    assert 0.3 < majority < 0.5
    assert abs(total_accuracy(job) - majority) < 0.06
    assert max(job.alignment.value.agreement["test"].values()) < 0.05


def test_the_labels_are_the_clusters_of_the_other_modality(folder):
    jobs = {modality: planted_job(folder, modality, shuffled=True) for modality in MODALITIES}
    clusters = jobs["image"].inputs.supervision.value.clusters
    assert np.array_equal(jobs["image"].steps.labels, clusters["text"].labels)
    assert np.array_equal(jobs["text"].steps.labels, clusters["image"].labels)
    assert adjusted_rand_score(clusters["image"].labels, clusters["text"].labels) < 0.05


def test_swapping_the_modalities_changes_nothing(tmp_path, folder):
    straight = planted_job(folder, "image")
    swapped = planted_job(tmp_path, "image", order=("text", "image"))
    assert straight.steps.names == swapped.steps.names
    assert np.array_equal(straight.steps.labels, swapped.steps.labels)
    for part in ("primary", "reserve", "heldout", "validation", "test"):
        assert np.array_equal(getattr(straight.split, part), getattr(swapped.split, part))
    for arm, other in zip(straight.arms, swapped.arms, strict=True):
        assert (arm.subject, arm.fraction) == (other.subject, other.fraction)
        for decision in ("raw", "deployment", "uniform"):
            assert np.array_equal(*(getattr(each.predictions.value, decision) for each in (arm, other)))


def test_clusters_never_see_the_test_part(tmp_path, folder):
    clean, poisoned = planted_job(folder, "image"), planted_job(tmp_path, "image", poisoned=True)
    train = clean.catalogue.rows("train")
    for modality in MODALITIES:
        first, second = (
            clean.inputs.supervision.value.clusters[modality],
            poisoned.inputs.supervision.value.clusters[modality],
        )
        assert np.array_equal(first.centroids, second.centroids)
        assert np.array_equal(first.labels[train], second.labels[train])
        assert not np.array_equal(first.labels, second.labels)  # the poison is really there
        assert (first.inertia, first.names) == (second.inertia, second.names)
        assert np.array_equal(first.bootstrap, second.bootstrap)


def test_both_directions_and_all_seeds_have_the_same_clusters_and_each_seed_one_split(folder):
    jobs = [planted_job(folder, modality, f"seed={seed}") for modality in MODALITIES for seed in (0, 1)]
    assert len({job.inputs.supervision.key for job in jobs}) == 1
    for first, second in ((jobs[0], jobs[2]), (jobs[1], jobs[3])):
        assert np.array_equal(first.split.primary, second.split.primary)
        assert first.inputs.split.key != second.inputs.split.key
    assert not np.array_equal(jobs[0].split.primary, jobs[1].split.primary)


def test_parts_keep_the_shares_of_both_clusterings(folder):
    job = planted_job(folder, "image", shuffled=True)
    train = job.catalogue.rows("train")
    for clusters in job.inputs.supervision.value.clusters.values():
        whole = np.bincount(clusters.labels[train], minlength=5) / len(train)
        for part in ("primary", "reserve"):
            rows = getattr(job.split, part)
            assert np.abs(np.bincount(clusters.labels[rows], minlength=5) / len(rows) - whole).max() < 0.02


def test_groups_stay_on_one_side_of_every_cut(folder):
    split, groups = (job := planted_job(folder, "image", "split.group=triple")).split, job.catalogue.group("triple")
    parts = [set(groups[getattr(split, part)]) for part in ("primary", "reserve", "heldout", "validation")]
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_clusters_are_named_by_their_words(folder):
    names = planted_job(folder, "image").steps.names
    assert {name.split()[1] for name in names} == set(WORDS)
    assert [name.split()[0] for name in names] == ["0", "1", "2", "3", "4"]
    assert planted_job(folder, "image", labels={"words": 0}).steps.names[2] == "cluster 2"


def test_the_number_of_clusters_is_chosen_for_each_modality(folder):
    job = planted_job(folder, "image", labels={"k": None, "candidates": (3, 5, 9)})
    for clusters in job.inputs.supervision.value.clusters.values():
        assert len(clusters.sizes) == 5
        assert set(clusters.scores) == {3, 5, 9}


def test_several_captions_vote(folder):
    clusters = planted_job(folder, "image", captions=3).inputs.supervision.value.clusters
    assert adjusted_rand_score(PlantedPairs().latent(), clusters["text"].labels) > 0.98
    assert clusters["text"].captions == 3
    assert clusters["text"].agreement > 0.98
    assert (clusters["image"].captions, clusters["image"].agreement, clusters["image"].tie_share) == (1, 1, 0)


def test_what_is_saved_is_what_is_loaded(folder, tmp_path):
    made = planted_job(folder, "image").inputs.supervision.value
    made.save(tmp_path)
    loaded = Supervision.load(tmp_path)
    assert loaded.modalities == made.modalities == MODALITIES
    for modality in MODALITIES:
        for name, value in vars(made.clusters[modality]).items():
            assert np.array_equal(value, getattr(loaded.clusters[modality], name)), name


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (["a", "b", "b", "c"], r"text: 1 ids occur twice \(b\)"),
        (["a", "c"], r"text: 1 ids are missing \(b\)"),
        (["a", "b", "c", "x", "y"], r"text: 2 ids have no partner \(x, y\)"),
        (["a", "c", "b"], r"text: row 1 is c, but the pair there is b"),
    ],
)
def test_unpaired_repeated_and_misplaced_ids_are_listed(found, message):
    ids = np.array(["a", "b", "c"])
    check_pairs(ids, ids, "text")
    with pytest.raises(ValueError, match=message):
        check_pairs(ids, np.array(found), "text")

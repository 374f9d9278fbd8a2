"""The map of a job: drawn for seed 0 alone, no part of any other key, and whole in one file."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_module

from scar.common.files import CorruptArtefactError
from scar.config.build import build
from scar.config.job_identity import job_identity
from scar.job import previews as module
from scar.job.algorithm import algorithm
from scar.job.flow import artefacts
from scar.job.map_file import job_slices, map_points, quantised, slice_name, write_map
from scar.job.map_points import MAP, RIGHT, SLICES, UNKNOWN, MapPoints, Previews
from scar.job.previews import EXCERPT, show_samples, telling_words
from scar.sampling.layout import PARTS
from scar.store.store import Store

LIGHT = ["dataset=digits", "completion=class_average", "foundation.estimators=[heldout]", "subsets=quick"]
LIGHT += ["forecast.compositions=0", "trainer.threads=1", "map.method=pca"]


def config(*overrides):
    with initialize_config_module("scar.conf", version_base="1.3"):
        return build(compose("config", [*LIGHT, *overrides]))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def job(store):
    return algorithm(config("map.points=400", "map.pictures=40", "map.slice_size=20"), store)


def test_it_changes_no_other_key_and_no_name(store, job):
    without = algorithm(config("map=none"), store)
    own = set(artefacts(job.final)) - set(artefacts(without.final))
    assert {key.stage for key in own} == {"layout", "previews"}
    assert set(artefacts(without.final)) < set(artefacts(job.final))
    assert job_identity(job.config) == job_identity(without.config)
    other = algorithm(config("map.points=401"), store)
    assert other.map.layout.key != job.map.layout.key
    bare = algorithm(config("map.points=400", "map.pictures=0", "map.slice_size=20"), store)
    assert bare.map.layout.key == job.map.layout.key
    assert bare.map.previews.key != job.map.previews.key


def test_seed_0_draws_it_and_strategies_share_it(store, job):
    assert algorithm(config("seed=1"), store).map is None
    other = algorithm(config("map.points=400", "map.pictures=40", "map.slice_size=20", "completion=random"), store)
    assert other.map.layout.key == job.map.layout.key


def test_its_file_says_of_every_point_what_the_job_knows(tmp_path, job):
    paths = write_map(tmp_path, job)
    assert [path.name for path in paths] == [MAP, SLICES]
    points = MapPoints.load(tmp_path / MAP)
    split, truth = job.split, job.split.labels
    assert 300 < len(points.rows) <= 400
    for index, part in enumerate(PARTS):
        assert np.isin(points.rows[points.parts == index], getattr(split, part)).all()
    assert np.array_equal(points.classes, truth[points.rows])
    assert points.ids == [str(each) for each in job.catalogue.ids[points.rows]]
    (arm,) = (arm for arm in job.arms if arm.subject == "primary")
    decided = dict(zip(split.test, arm.predictions.value.deployment, strict=True))
    for row, part, outcome, own in zip(points.rows, points.parts, points.outcome, points.decided, strict=True):
        assert (outcome == UNKNOWN) == (part != PARTS.index("test"))
        assert own == decided.get(row, -1)
        assert (outcome == RIGHT) == (own == truth[row])
    assert np.array_equal(points.planned, np.isin(points.rows, job.plans[-1].rows))
    assert points.planned.any()
    assert points.place.min() == 0
    assert points.place.max() == 65535
    assert points.about["fraction"] == job.plans[-1].fraction
    assert 0 < len(points.previews.pictures) <= 40
    assert all(data.startswith(b"\xff\xd8") for data in points.previews.pictures.values())
    assert points.previews.texts == []
    slices = pd.read_csv(tmp_path / SLICES)
    assert slices["size"].sum() == len(split.test)
    total = (slices.right * slices["size"]).sum() / len(split.test)
    assert total == pytest.approx(np.mean(arm.predictions.value.deployment == truth[split.test]))


def test_the_same_job_writes_the_same_file_and_one_without_a_map_removes_it(tmp_path, job, store):
    write_map(tmp_path, job)
    first = (tmp_path / MAP).read_bytes()
    write_map(tmp_path, job)
    assert (tmp_path / MAP).read_bytes() == first
    assert write_map(tmp_path, algorithm(config("map=none"), store)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_says_so(tmp_path, job):
    path = tmp_path / MAP
    map_points(job, job_slices(job)).save(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CorruptArtefactError, match="run its job again"):
        MapPoints.load(path)


def test_texts_are_kept_or_left_out_and_name_slices_by_their_words(tmp_path):
    table = tmp_path / "reviews.csv"
    rng = np.random.default_rng(0)
    words = {"cat": ["purring", "whiskers"], "dog": ["barking", "leash"]}
    rows = [
        (f"{words[k][n % 2]} {words[k][0]} number {rng.integers(99)} " + "x" * 120, k)
        for n in range(300)
        for k in words
    ]
    pd.DataFrame(rows, columns=["body", "kind"]).to_csv(table, index=False)
    about = [f"dataset.root={table}", "dataset.text=body", "dataset.label=kind", "encoder=tfidf", "map.slice_size=20"]

    def looks(*overrides):
        with initialize_config_module("scar.conf", version_base="1.3"):
            composed = compose("config", ["dataset=table", *LIGHT[1:], *about, *overrides])
        made = algorithm(build(composed), Store(tmp_path / "store"))
        return made, made.map.previews.value

    made, found = looks()
    assert len(found.texts) == len(made.map.layout.value.rows)
    assert max(map(len, found.texts)) == EXCERPT
    assert {word for own in found.words.values() for word in own} & {"purring", "barking"}
    _, nothing = looks("map.texts=false")
    assert (nothing.texts, nothing.words) == ([], {})


def test_previews_survive_their_arrays():
    looks = Previews(texts=["a", "é"], pictures={1: b"xyz", 4: b"", 7: b"q"}, words={0: ["w"]})
    again = Previews.of(looks.arrays())
    assert (again.texts, again.pictures, again.words) == (["a", "é"], {1: b"xyz", 4: b"", 7: b"q"}, {0: ["w"]})


def test_words_that_tell_a_cluster_from_the_rest():
    texts = ["red apple"] * 10 + ["green apple"] * 10
    assert telling_words(texts, np.repeat([0, 1], 10)) == {0: ["red"], 1: ["green"]}
    assert telling_words(["", ""], np.array([0, 1])) == {}
    assert telling_words(texts, np.zeros(20, int)) == {}


def test_places_keep_their_proportions():
    place = quantised(np.array([[0.0, 0.0], [10.0, 5.0]]))
    assert place.tolist() == [[0, 16384], [65535, 49151]]
    assert quantised(np.zeros((3, 2))).tolist() == [[32768, 32768]] * 3


def test_samples_with_several_labels_stand_under_the_rarest_and_are_right_as_a_whole(tmp_path):
    rng = np.random.default_rng(0)
    lines = []
    for n in range(400):
        own = [k for k in ("cat", "dog", "fox") if rng.random() < {"cat": 0.6, "dog": 0.4, "fox": 0.2}[k]]
        lines.append((f"{' '.join(own)} story number {n}", ";".join(own)))
    pd.DataFrame(lines, columns=["body", "kinds"]).to_csv(tmp_path / "tags.csv", index=False)
    about = [f"dataset.root={tmp_path / 'tags.csv'}", "dataset.text=body", "dataset.label=kinds", "encoder=tfidf"]
    about += ["dataset.labels.separator=';'", "map.slice_size=15"]
    with initialize_config_module("scar.conf", version_base="1.3"):
        composed = compose("config", ["dataset=table", *LIGHT[1:], *about])
    made = algorithm(build(composed), Store(tmp_path / "store"))
    write_map(tmp_path, made)
    points = MapPoints.load(tmp_path / MAP)
    labels, names = made.split.labels, list(made.steps.names)
    assert labels.ndim == 2
    fox = names.index("fox")
    assert (points.classes[labels[points.rows][:, fox] > 0] == fox).all()
    assert (points.classes[labels[points.rows].sum(axis=1) == 0] == -1).all()
    assert (points.decided == -1).all()
    (arm,) = (arm for arm in made.arms if arm.subject == "primary")
    whole = (arm.predictions.value.deployment == labels[made.split.test]).all(axis=1)
    tested = points.outcome != UNKNOWN
    right = dict(zip(made.split.test, whole, strict=True))
    assert [right[row] for row in points.rows[tested]] == (points.outcome[tested] == RIGHT).tolist()


def test_a_picture_that_cannot_be_read_is_left_out(job, monkeypatch):
    def broken(item, side, *, kind):
        raise OSError("no such picture")

    monkeypatch.setattr(module, "thumbnail", broken)
    found = show_samples(job.map.layout.value, job.samples, job.split.test, job.classes, texts=True, pictures=10)
    assert found.pictures == {}


def test_a_class_whose_name_is_a_number_is_told_from_its_share_of_a_slice():
    one = SimpleNamespace(classes=np.array([0, 21, 79]))
    assert slice_name(one, ("0", "7", "8")) == "8 (79 %), 7 (21 %)"

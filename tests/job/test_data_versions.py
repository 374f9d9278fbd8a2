"""Datasets that grow: only what is new is embedded, labels that change are noticed, versions are compared."""

import csv
import json
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from scar.common.files import read_json
from scar.data.checks import validate_samples
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.sources.digits import Digits
from scar.encoders.pixels import Pixels
from scar.encoders.pixels_pca import PixelsPca
from scar.job.algorithm import algorithm
from scar.job.data_versions import Version, find_version
from scar.job.run_job import encoder_cost
from scar.reporting.study_folder import load_study
from scar.reporting.tables.versions import compare_versions, sample_changes
from scar.reporting.tables.versions_table import sentences, version_tables
from scar.store.store import Store
from scar.studies.common import compose_config

SEEN: list[int] = []


@dataclass(frozen=True, kw_only=True)
class Counting(Pixels):
    """Counts the images that it is shown."""

    name: str = "counting"

    def open(self):
        embed = super().open()

        def counted(images):
            SEEN.append(len(images))
            return embed(images)

        return counted


@dataclass(frozen=True, kw_only=True)
class Listed(Source):
    """Digits named by a CSV file with the columns row, id, label."""

    name: str = "listed"
    path: str = field(default="", metadata={"runtime": True})

    @property
    def modalities(self):
        return ("image",)

    def files(self, data_dir):
        return [Path(self.path)]

    def load(self, data_dir):
        digits = Digits().load(data_dir)
        with Path(self.path).open() as file:
            lines = list(csv.DictReader(file))
        rows = np.array([int(line["row"]) for line in lines])
        chosen = digits.take(rows)
        labels = np.array([int(line["label"]) for line in lines])
        samples = replace(chosen, ids=np.array([line["id"] for line in lines]), labels=labels, groups={})
        return validate_samples(samples, name=self.name)


def write_list(path, rows, *, labels=None):
    digits = Digits().load(path)
    own = digits.labels[rows] if labels is None else labels
    lines = [f"{row},d{row},{label}" for row, label in zip(rows, own, strict=True)]
    path.write_text("\n".join(["row,id,label", *lines]) + "\n")


def job_of(tmp_path, encoder, store=None):
    overrides = ["dataset=digits", "encoder=pixels", f"paths.store_dir={tmp_path / 'store'}"]
    config = compose_config(overrides)
    config = replace(config, dataset=Listed(path=str(tmp_path / "list.csv")), encoder=encoder)
    return algorithm(config, store or Store(tmp_path / "store"))


def test_appending_one_percent_embeds_exactly_that_one_percent(tmp_path):
    write_list(tmp_path / "list.csv", np.arange(1000))
    SEEN.clear()
    first = job_of(tmp_path, Counting()).embeddings.array().copy()
    assert sum(SEEN) == 1000
    order = np.random.default_rng(0).permutation(1010)  # the new ones stand anywhere
    write_list(tmp_path / "list.csv", order)
    SEEN.clear()
    job = job_of(tmp_path, Counting())
    second = job.embeddings.array()
    assert sum(SEEN) == 10
    cost = encoder_cost(job)
    assert (cost["embedded"], cost["reused"]) == (10, 1000)
    np.testing.assert_array_equal(second[np.argsort(order)][:1000], first)
    np.testing.assert_array_equal(second, Pixels().open()(job.samples().payloads["image"]))


def test_a_changed_label_embeds_nothing_and_changes_the_dataset(tmp_path):
    write_list(tmp_path / "list.csv", np.arange(300))
    before = job_of(tmp_path, Counting())
    labels = before.catalogue.labels.copy()
    _ = before.embeddings
    labels[:7] = (labels[:7] + 1) % 10
    write_list(tmp_path / "list.csv", np.arange(300), labels=labels)
    SEEN.clear()
    after = job_of(tmp_path, Counting())
    _ = after.embeddings
    assert sum(SEEN) == 0
    assert after.inputs.dataset.key != before.inputs.dataset.key
    changes = sample_changes(Version.of(before.catalogue), Version.of(after.catalogue))
    assert sum(changes.relabelled.values()) == 7
    assert not changes.added
    assert not changes.none


def test_another_encoder_or_one_that_learns_takes_nothing_over(tmp_path):
    write_list(tmp_path / "list.csv", np.arange(200))
    _ = job_of(tmp_path, Counting()).embeddings
    _ = job_of(tmp_path, PixelsPca(dimension=4)).embeddings
    write_list(tmp_path / "list.csv", np.arange(220))
    for encoder in (Counting(name="other"), PixelsPca(dimension=4)):
        assert encoder_cost(job_of(tmp_path, encoder))["reused"] == 0


def test_damaged_embeddings_are_not_taken_over(tmp_path):
    write_list(tmp_path / "list.csv", np.arange(200))
    job = job_of(tmp_path, Counting())
    _ = job.embeddings
    shard = job.store.path(job.inputs.embeddings.key) / "shard-00000.npy"
    shard.write_bytes(shard.read_bytes()[:100])
    write_list(tmp_path / "list.csv", np.arange(210))
    assert encoder_cost(job_of(tmp_path, Counting()))["embedded"] == 210


def test_what_is_taken_over_is_checked_in_full_and_quarantined_if_it_is_broken(tmp_path, monkeypatch, capsys):
    """A flip that no size tells, in embeddings too large to be compared on every look."""
    monkeypatch.setattr("scar.store.store.CHECKED", 0)
    write_list(tmp_path / "list.csv", np.arange(200))
    job = job_of(tmp_path, Counting())
    whole = job.embeddings.array().copy()
    shard = job.store.path(job.inputs.embeddings.key) / "shard-00000.npy"
    content = bytearray(shard.read_bytes())
    content[-9] ^= 64
    shard.write_bytes(content)
    write_list(tmp_path / "list.csv", np.arange(210))
    grown = job_of(tmp_path, Counting())
    assert encoder_cost(grown)["embedded"] == 210
    np.testing.assert_array_equal(grown.embeddings.array()[:200], whole)
    assert "quarantined embeddings/" in capsys.readouterr().err
    assert not shard.exists()


def test_a_job_does_not_take_its_own_broken_embeddings_over(tmp_path):
    write_list(tmp_path / "list.csv", np.arange(120))
    job = job_of(tmp_path, Counting())
    whole = job.embeddings.array().copy()
    (shard,) = (tmp_path / "store" / "embeddings").glob("*/shard-00000.npy")
    (shard.parent / "ids.npy").write_bytes(b"PAR1")
    np.testing.assert_array_equal(job_of(tmp_path, Counting()).embeddings.array(), whole)


def test_a_shard_of_an_interrupted_extraction_is_embedded_again_if_it_is_damaged(tmp_path):
    from scar.encoders.embeddings.extraction import embed_shards, merge_shards

    samples, encoder = Digits().load(tmp_path).take(np.arange(60)), Pixels()
    embed_shards(samples, encoder, tmp_path / "part", shard_size=20)
    shard = tmp_path / "part" / "shard-00001.npy"
    content = bytearray(shard.read_bytes())
    content[-5] ^= 1
    shard.write_bytes(content)
    embed_shards(samples, encoder, tmp_path / "part", shard_size=20)
    (tmp_path / "whole").mkdir()
    found = merge_shards(samples, encoder, tmp_path / "part", tmp_path / "whole")
    np.testing.assert_array_equal(found.array(), encoder.open()(samples.payloads["image"]))


def test_captions_are_taken_over_as_a_whole(tmp_path):
    from scar.encoders.embeddings.embedding_set import EmbeddingSet
    from scar.encoders.embeddings.extraction import embed_shards, merge_shards
    from scar.encoders.embeddings.reuse import Reuse
    from scar.encoders.random_vectors import RandomVectors

    def samples(texts):
        ids = np.array([f"s{i}" for i in range(len(texts))])
        return Samples(ids, {"text": texts}, np.zeros(len(texts), int), ("a",), np.full(len(texts), "train"), {})

    encoder = RandomVectors(dimension=4)
    old = samples([("one cat", "two cats"), ("a dog",), ("some fish", "more fish", "no fish")])
    new = samples([("a bird", "birds"), ("some fish", "more fish", "no fish"), ("one cat", "two cats")])
    for folder in ("one", "two", "plain"):
        (tmp_path / folder).mkdir()
    embed_shards(old, encoder, tmp_path / "p1", shard_size=2)
    merge_shards(old, encoder, tmp_path / "p1", tmp_path / "one")
    reuse = Reuse((tmp_path / "one",), np.array([-1, 0, 0]), np.array([0, 2, 0]))
    embed_shards(new, encoder, tmp_path / "p2", shard_size=4, reuse=reuse)
    found = merge_shards(new, encoder, tmp_path / "p2", tmp_path / "two")
    embed_shards(new, encoder, tmp_path / "p3", shard_size=4)
    plain = merge_shards(new, encoder, tmp_path / "p3", tmp_path / "plain")
    np.testing.assert_allclose(found.captions()[0], plain.captions()[0], atol=1e-6)
    assert read_json(tmp_path / "two" / "cost.json")["embedded"] == 2
    assert isinstance(found, EmbeddingSet)


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A study on 900 digits, then on 1500 of which class 3 gained all that it lacked; both through `run_job`."""
    from omegaconf import OmegaConf

    from scar.job.run_job import run_job

    root = tmp_path_factory.mktemp("outputs")
    digits = Digits().load(root)
    rows = np.arange(1797)
    small = np.concatenate([rows[digits.splits == "test"], rows[digits.splits == "train"][:700]])
    few = small[~((digits.labels[small] == 3) & (digits.splits[small] == "train")) | (np.arange(len(small)) % 4 == 0)]
    overrides = [
        "dataset=digits",
        "encoder=pixels",
        "subsets=quick",
        "probe=converged",
        "trainer.threads=1",
        "forecast.compositions=0",
    ]
    config = replace(
        compose_config([*overrides, f"paths.store_dir={root / 'store'}"]), dataset=Listed(path=str(root / "list.csv"))
    )
    study = root / "mine"

    def run(chosen):
        write_list(root / "list.csv", np.sort(chosen))
        for seed in (0, 1):
            folder = study / "jobs" / f"job{seed}"
            run_job(replace(config, seed=seed), folder, settings=OmegaConf.create({"seed": seed}), overrides=[])

    run(few)
    first_done = datetime.now(UTC)
    shutil.copytree(study, root / "copy")
    more = np.union1d(few, rows[digits.splits == "train"][700:1100])
    run(np.union1d(more, rows[(digits.labels == 3)]))
    return study, first_done, root


def test_the_earlier_version_is_kept_and_found_by_its_date(grown):
    study, first_done, root = grown
    kept = list((study / "versions").iterdir())
    assert len(kept) == 1
    assert len(list(kept[0].glob("jobs/*/rows.parquet"))) == 2
    assert len(list((study / "datasets").glob("*.npz"))) == 2
    assert find_version(study, first_done.astimezone().replace(tzinfo=None).isoformat()) == kept[0]
    assert find_version(study, (first_done + timedelta(days=1)).date().isoformat()) == study
    assert find_version(study, "copy") == root / "copy"
    with pytest.raises(ValueError, match="had no version then"):
        find_version(study, "1999-01-01")
    with pytest.raises(ValueError, match="neither a study"):
        find_version(study, "nothing")


def test_two_versions_show_what_came_what_moved_and_what_is_missing(grown):
    study, _, root = grown
    (found,) = compare_versions(load_study(study), load_study(root / "copy"))
    classes = found.classes.set_index("class_name")
    assert not found.equal
    assert found.changes.tests == found.changes.replaced == found.changes.moved == 0
    assert found.delivered[0] > found.delivered[1] > 0
    assert found.changes.added["3"] == classes.added["3"] > 0
    assert not found.changes.removed
    assert (classes.missing >= 0).all()
    assert (classes.delivered <= classes.asked).all()
    assert (classes.delivered == np.minimum(classes.asked, classes.added)).all()
    accuracy = found.measures.set_index("metric").loc["accuracy"]
    assert accuracy.method == "same test items, paired"
    assert accuracy.low <= accuracy.difference <= accuracy.high
    assert accuracy.difference == pytest.approx(accuracy.after - accuracy.before)
    assert any("training samples added" in s for s in sentences(found))
    names = [table.name for table in version_tables(load_study(study), load_study(root / "copy"))]
    assert names == ["versions", "versions_by_class"]


def test_equal_versions_compare_as_equal(grown):
    study, *_ = grown
    kept = next((study / "versions").iterdir())
    (found,) = compare_versions(load_study(kept), load_study(study.parent / "copy"))
    assert found.equal
    assert found.changes.none
    assert (found.measures.difference == 0).all()
    assert (found.measures.low == 0).all()
    assert sentences(found) == [
        "The two versions are equal: the same samples, labels and splits, and the same numbers."
    ]


def test_the_report_compares_versions_by_one_option(grown):
    from scar.commands.report import ReportConfig, ReportPaths, write

    study, *_ = grown
    paths = write(
        ReportConfig(
            study="mine", against="copy", resamples=200, formats=[], paths=ReportPaths(output_dir=str(study.parent))
        )
    )
    assert "versions_by_class.csv" in paths
    page = paths["report.html"].read_text()
    assert "training samples added" in page
    assert "last shopping list" in page


def test_versions_are_named_by_their_data_not_by_their_order(grown):
    study, *_ = grown
    digest = json.loads((study / "jobs" / "job0" / "status.json").read_text())["version"]
    version = Version.load(study / "datasets" / f"{digest}.npz")
    order = np.random.default_rng(0).permutation(len(version.ids))
    shuffled = {name: getattr(version, name)[order] for name in ("ids", "contents", "labels", "splits")}
    assert Version(class_names=version.class_names, **shuffled).digest() == digest
    shuffled["labels"] = (shuffled["labels"] + (np.arange(len(order)) == 0)) % len(version.class_names)
    assert Version(class_names=version.class_names, **shuffled).digest() != digest

"""Planted errors are found: flipped labels, duplicates across splits, outliers, borderline samples, mismatched pairs."""

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from browser import browser
from sklearn.datasets import load_digits

import scar
from scar.config.nodes import ConfigError
from scar.data.source import Source
from scar.data.sources.corrected import Corrected
from scar.data.sources.digits import Digits
from scar.encoders.paired import Paired
from scar.encoders.pixels import Pixels
from scar.encoders.random_vectors import RandomVectors
from scar.inspection import findings_page
from scar.inspection.crossfit import assign_folds
from scar.inspection.effects_of_acting import corrections, write_corrections
from scar.inspection.kinds import BORDER, DUPLICATE, LABEL, MISMATCH, NEAR, OUTLIER
from scar.inspection.label_errors import check_labels
from scar.inspection.mismatched import pair_agreement
from scar.inspection.near_duplicates import content_groups, find_pairs
from scar.inspection.neighbours import find_neighbours, planned_bytes
from scar.inspection.options import InspectionSettings
from scar.studies.common import compose_config
from scar.studies.inspection_study import run, summary

SETTINGS = InspectionSettings(neighbours=20, effect_seeds=2, shown=5)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The digits with 5 % of the training labels flipped and ten training images copied into the training part's end."""
    root = tmp_path_factory.mktemp("inspection")
    overrides = [
        "dataset=digits",
        "encoder=pixels",
        "subsets=quick",
        "probe=converged",
        "forecast.compositions=0",
        "probe.penalties=[0.0001]",  # weak enough that the probe learns the planted errors
        f"paths.store_dir={root / 'store'}",
    ]
    config = compose_config([*overrides, "trainer.threads=1"])
    samples = config.dataset.load(root)
    rng = np.random.default_rng(0)
    train = np.flatnonzero(samples.splits == "train")
    flipped = rng.choice(train, len(train) // 20, replace=False)
    wrong = (samples.labels[flipped] + rng.integers(1, 10, len(flipped))) % 10
    changes = {samples.ids[r]: (samples.class_names[w], False) for r, w in zip(flipped, wrong, strict=True)}
    write_corrections(root / "planted.csv", changes)
    source = Corrected(name="digits", source=config.dataset, corrections=str(root / "planted.csv"))
    folder = root / "study" / "jobs" / "one"
    return run(replace(config, dataset=source), folder, SETTINGS), samples.ids[flipped], folder


def test_flipped_labels_are_found_with_the_right_label(planted):
    inspection, flipped, _ = planted
    errors = inspection.of(LABEL)
    true = errors["id"].isin(flipped).to_numpy()
    precision, recall = np.cumsum(true) / np.arange(1, len(true) + 1), np.cumsum(true) / len(flipped)
    assert precision[np.searchsorted(recall, 0.6)] >= 0.95
    assert recall[-1] >= 0.7
    assert errors["score"].is_monotonic_decreasing
    assert (errors["suggested"] != errors["class_name"]).all()


def test_correcting_them_raises_the_accuracy(planted):
    import pandas as pd

    _, _, folder = planted
    effects = pd.read_csv(folder / "effects.csv")
    accuracy = effects[(effects["variant"] == "labels corrected") & (effects["metric"] == "accuracy")].iloc[0]
    assert accuracy.difference > 0.01
    assert accuracy.after == pytest.approx(accuracy.before + accuracy.difference, abs=1e-5)


def test_the_page_shows_thumbnails_and_loads_nothing(planted):
    inspection, _, folder = planted
    page = (folder / "inspection.html").read_text()
    assert "data:image/png;base64," in page
    assert "http" not in page
    assert "Label error" in page
    assert inspection.of(LABEL)["id"].iloc[0] in page
    with (folder / "inspection.csv").open() as file:
        kinds = {row["kind"] for row in csv.DictReader(file)}
    assert {LABEL, OUTLIER, BORDER} <= kinds


def test_samples_that_are_only_ranked_are_not_called_found(planted):
    inspection, _, folder = planted
    page = (folder / "inspection.html").read_text()
    assert f"{OUTLIER} (a ranking)" in page
    assert f"{len(inspection.of(OUTLIER))} ranked, none of them called wrong, the first 5 shown" in page
    assert f"{LABEL} ({len(inspection.of(LABEL))})" in page
    lines = {line.partition(":")[0]: line for line in summary(inspection)}
    assert f"{BORDER}: {len(inspection.of(BORDER))} ranked; first" in lines[BORDER]
    assert "ranked" not in lines[LABEL]


def test_findings_say_what_the_plan_adds_of_their_class(planted):
    inspection, *_ = planted
    plan = dict(zip(inspection.job.steps.names, inspection.job.plans[-1].counts.tolist(), strict=True))
    assert sum(plan.values()) > 0
    assert all(plan[row.class_name] == row.planned for row in inspection.table.itertuples())


def test_nothing_is_computed_twice(planted, monkeypatch):
    import scar.inspection.inspection as module

    inspection, *_ = planted
    monkeypatch.setattr("scar.probes.train.train_probes", lambda *_, **__: pytest.fail("trained again"))
    again = module.inspect_job(inspection.job, SETTINGS)
    assert again.table.equals(inspection.table)


def contents_of(values):
    return {"text": np.array([[v] * 16 for v in values], np.uint8)}


def test_every_duplicate_across_splits_is_found_and_near_ones_beside_it():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((400, 32)).astype(np.float32)
    train, test = np.arange(300), np.arange(300, 400)
    values = np.arange(400)
    values[test[:25]] = train[50:75]  # copies in the test part
    features[test[:25]] = features[50:75]
    features[test[25:50]] = features[100:125] + 0.02 * rng.standard_normal((25, 32)).astype(np.float32)
    contents = {"text": np.stack([values // 256, values % 256, *[values * 0] * 14], axis=1).astype(np.uint8)}
    pairs = find_pairs(content_groups(contents), find_neighbours(features, 10), 0.95, np.arange(400) >= 300)
    found = set(zip(pairs.first[pairs.exact].tolist(), pairs.second[pairs.exact].tolist(), strict=True))
    assert found == set(zip(range(50, 75), range(300, 325), strict=True))
    near = set(zip(pairs.first[~pairs.exact].tolist(), pairs.second[~pairs.exact].tolist(), strict=True))
    assert near == set(zip(range(100, 125), range(325, 350), strict=True))
    assert (pairs.score[~pairs.exact] > 0.99).all()


def test_a_content_that_a_test_sample_brought_first_is_paired_with_the_training_part_too():
    pairs = find_pairs(
        content_groups(contents_of([7, 7, 7, 1])),
        find_neighbours(np.eye(4, dtype=np.float32), 2),
        0.99,
        np.array([True, False, True, False]),
    )
    assert set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == {(0, 1), (0, 2), (1, 2)}


def test_copies_are_in_one_fold():
    groups = np.repeat(np.arange(50), 4)
    fold = assign_folds(groups, 5, 0)
    assert all(len(set(fold[groups == g])) == 1 for g in range(50))
    assert set(np.bincount(fold)) == {40}
    with pytest.raises(ValueError, match=r"inspection\.folds=5 exceeds the 2"):
        assign_folds(np.array([0, 0, 1]), 5, 0)


def test_hard_samples_are_not_taken_for_mislabelled_ones():
    """Two classes overlap; the probe doubts all of that region, the neighbours single out who is wrong."""
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [8, 0], [8, 8]])
    labels = rng.integers(0, 3, 900)
    features = (centres[labels] + rng.standard_normal((900, 2))).astype(np.float32)
    given = labels.copy()
    flipped = rng.choice(900, 45, replace=False)
    given[flipped] = (labels[flipped] + 1) % 3
    unsure = np.full((900, 3), 1 / 3)
    check = check_labels(unsure, find_neighbours(features, 15), given)
    worst = np.argsort(check.quality)[:45]
    assert np.isin(worst, flipped).mean() > 0.9
    assert (check.suggested[flipped] == labels[flipped]).mean() > 0.9


@pytest.mark.parametrize("size", [2_000, 60_000])
def test_the_nearest_samples_are_found_within_the_planned_memory(size):
    import tracemalloc

    rng = np.random.default_rng(0)
    features = rng.standard_normal((size, 16)).astype(np.float32) + 3.0
    copies = rng.choice(size // 2, 200, replace=False)
    features[-200:] = features[copies]
    tracemalloc.start()
    found = find_neighbours(features, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.index[-200:, 0] == copies).mean() >= 0.99
    assert (found.similarity[-200:, 0] > 0.999).all()
    assert not (found.index == np.arange(size)[:, None]).any()
    assert peak < planned_bytes(size, 16, 5)


def test_a_million_samples_of_384_numbers_are_planned_below_four_gibibytes():
    assert planned_bytes(1_000_000, 384, 50) < 4 * 2**30


@pytest.mark.parametrize("joint", [True, False])
def test_mismatched_pairs_agree_least(joint):
    from scar.encoders.embeddings.embedding_set import EmbeddingSet

    rng = np.random.default_rng(0)
    image = rng.standard_normal((300, 6)).astype(np.float32)
    turn = np.eye(6, dtype=np.float32) if joint else rng.standard_normal((6, 4)).astype(np.float32)
    text = image @ turn + 0.1 * rng.standard_normal((300, turn.shape[1])).astype(np.float32)
    swapped = rng.choice(300, 15, replace=False)
    text[swapped] = text[np.roll(swapped, 1)]
    ids = np.arange(300).astype(str)
    towers = {"image": EmbeddingSet(ids, (image,)), "text": EmbeddingSet(ids, (text,))}
    agreement = pair_agreement(towers, joint=joint, groups=np.arange(300), folds=5, seed=0)
    assert np.isin(np.argsort(agreement)[:15], swapped).mean() >= 0.8
    assert np.median(agreement) > 0.9


@dataclass(frozen=True, kw_only=True)
class Described(Source):
    """The digits with a text about each; ten texts belong to other digits, five pairs are there twice."""

    name: str = "described"

    @property
    def modalities(self):
        return ("image", "text")

    def files(self, data_dir):
        return Digits().files(data_dir)

    def load(self, data_dir):
        digits = Digits().load(data_dir)
        rows = np.append(np.arange(500), np.arange(5))
        texts = [f"{WORDS[label]} {WORDS[label]} number{row}" for row, label in enumerate(digits.labels[:500])]
        for place, row in enumerate(range(100, 110)):
            texts[row] = f"{WORDS[(digits.labels[row] + 5) % 10]} {WORDS[(digits.labels[row] + 5) % 10]} other{place}"
        chosen = digits.take(rows)
        ids = np.array([f"d{row:03d}" for row in range(len(rows))])
        splits = np.where(np.arange(len(rows)) >= 400, "test", "train")
        payloads = {"image": chosen.payloads["image"], "text": [texts[row] for row in rows]}
        return replace(chosen, ids=ids, splits=splits, payloads=payloads)


WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def test_pairs_are_inspected_by_modality_and_together(tmp_path):
    overrides = [
        "dataset=digits",
        "encoder=pixels",
        "subsets=quick",
        "probe=converged",
        "forecast.compositions=0",
        "probe.penalties=[0.0001]",  # weak enough that the probe learns the planted errors
        f"paths.store_dir={tmp_path / 's'}",
    ]
    config = compose_config([*overrides, "trainer.threads=1"])
    encoder = Paired(name="two", image=Pixels(), text=RandomVectors(dimension=64))
    config = replace(config, dataset=Described(), encoder=encoder, modality="image")
    inspection = run(config, tmp_path / "study" / "jobs" / "two", InspectionSettings(neighbours=10, effect_seeds=0))
    worst = inspection.of(MISMATCH)["id"].head(10)
    assert worst.isin([f"d{row}" for row in range(100, 110)]).sum() >= 7
    copies = inspection.of(DUPLICATE)
    assert set(copies["modality"]) == {"image", "text", "image+text"}
    both = copies[copies["modality"] == "image+text"]
    assert set(both["id"]) == {f"d{row}" for row in range(500, 505)}
    assert set(both["other_id"]) == {f"d00{row}" for row in range(5)}
    assert both["across_splits"].all()
    assert "number3" in (tmp_path / "study" / "jobs" / "two" / "inspection.html").read_text()


def test_a_list_of_corrections_must_fit_the_data(tmp_path):
    digits = compose_config(["dataset=digits", "encoder=pixels"]).dataset
    path = tmp_path / "list.csv"
    source = Corrected(source=digits, corrections=str(path))
    with pytest.raises(FileNotFoundError, match="columns id, class_name, drop"):
        source.files(tmp_path)
    for text, message in (
        ("id,class_name\n1,2\n", "the column .drop. is missing"),
        ("id,class_name,drop\nnobody,1,\n", "names 'nobody'"),
        (f"id,class_name,drop\n{digits.load(tmp_path).ids[0]},walrus,\n", "class 'walrus'"),
        ("id,class_name,drop\nx,1,\nx,2,\n", "more than once"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            source.load(tmp_path)
    with pytest.raises(ValueError, match=r"belong to dataset\.source"):
        Corrected(source=digits, train_size=5)


def test_the_list_changes_what_it_names_and_nothing_else(tmp_path):
    digits = compose_config(["dataset=digits", "encoder=pixels"]).dataset
    before = digits.load(tmp_path)
    changes = {str(before.ids[3]): ("9", False), str(before.ids[5]): ("", True)}
    write_corrections(tmp_path / "list.csv", changes)
    after = Corrected(source=digits, corrections=str(tmp_path / "list.csv")).load(tmp_path)
    kept = np.delete(np.arange(len(before)), 5)
    np.testing.assert_array_equal(after.ids, before.ids[kept])
    expected = before.labels.copy()
    expected[3] = 9
    np.testing.assert_array_equal(after.labels, expected[kept])
    assert "1 labels changed, 1 samples left out" in after.notes[-1] or "0 labels changed" in after.notes[-1]


def test_of_two_copies_the_training_sample_goes(planted):
    inspection, *_ = planted
    removed = corrections(inspection)["duplicates removed"]
    train = set(inspection.job.catalogue.ids[inspection.job.catalogue.splits == "train"].tolist())
    assert set(removed) <= train
    kinds = inspection.table["kind"]
    assert bool(removed) == bool(((kinds == DUPLICATE) | (kinds == NEAR)).any())


@pytest.mark.parametrize(("field", "value"), [("folds", 1), ("threshold", 0.0), ("far", 60), ("most", 0)])
def test_settings_that_make_no_sense_are_refused(field, value):
    with pytest.raises((ValueError, ConfigError), match=field):
        InspectionSettings(**{field: value})


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 768, 1280, 1600])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_fits_asks_nothing_and_axe_finds_nothing_serious(planted, tab, width, dark):
    tab.open(planted[2] / "inspection.html", width=width, dark=dark)
    assert tab.complaints() == []
    assert tab.requests() == []
    assert tab.run("document.scrollingElement.scrollWidth") <= width
    assert tab.serious() == []


@pytest.mark.slow
def test_what_an_answer_proposes_for_vectors_of_ones_own_can_be_done(tmp_path):
    x, y = (part[:400] for part in load_digits(return_X_y=True))
    proposed = scar.characterize(x, y).decision.free.partition("scar ")[2].split(",")[0]
    np.save(tmp_path / "embeddings.npy", x)
    np.save(tmp_path / "labels.npy", y)
    overrides = proposed.replace("FOLDER", str(tmp_path)).split()
    config = compose_config([*overrides, f"paths.store_dir={tmp_path / 'store'}", "trainer.threads=1"])
    run(config, tmp_path / "out", SETTINGS)
    assert (tmp_path / "out" / "inspection.html").exists()


def test_all_pages_begin_with_one_macro():
    templates = [*Path(findings_page.__file__).parents[1].rglob("*.html")]
    assert len(templates) > 3
    assert [path.name for path in templates if "<head" in path.read_text(encoding="utf-8")] == ["page_parts.html"]

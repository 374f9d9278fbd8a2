"""Planted label errors in the packaged text and image sets, and planted duplicates across their splits."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from scar.data.paths import data_folder
from scar.data.source import Source
from scar.inspection.inspection import inspect_job
from scar.inspection.kinds import DUPLICATE, LABEL
from scar.inspection.options import InspectionSettings
from scar.job.algorithm import algorithm
from scar.store.store import Store
from scar.studies.common import compose_config

SHARE = 0.05
COPIES = 40


@dataclass(frozen=True, kw_only=True)
class Planted(Source):
    """Another source with labels flipped to a random other class, and test payloads that copy training payloads."""

    name: str = "planted"
    source: Any = None

    @property
    def modalities(self):
        return self.source.modalities

    def files(self, data_dir):
        return self.source.files(data_dir)

    def load(self, data_dir):
        samples = self.source.load(data_dir)
        labels = planted_flips(samples)[1]
        train, test = (np.flatnonzero(samples.splits == part)[:COPIES] for part in ("train", "test"))
        rows = np.arange(len(samples))
        rows[test] = train
        (modality,) = samples.payloads
        copied = samples.take(rows).payloads[modality]
        labels[test] = labels[train]
        return replace(samples, labels=labels, payloads={modality: copied})


def planted_flips(samples):
    """Rows whose labels are flipped, and the labels [N]; a fixed draw. Copies are left alone."""
    rng = np.random.default_rng(0)
    usable = np.concatenate([np.flatnonzero(samples.splits == part)[COPIES:] for part in ("train", "test")])
    flipped = rng.choice(usable, int(SHARE * len(samples)), replace=False)
    labels, classes = samples.labels.copy(), len(samples.class_names)
    labels[flipped] = (labels[flipped] + rng.integers(1, classes, len(flipped))) % classes
    return flipped, labels


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "encoder"), [("wordnet_glosses", "minilm"), ("fashion_mnist", "efficientnet_lite0")]
)
def test_flips_are_found_and_so_are_all_duplicates_across_splits(dataset, encoder, tmp_path):
    overrides = [f"dataset={dataset}", f"encoder={encoder}", "dataset.train_size=4000", "dataset.test_size=1000"]
    config = compose_config([*overrides, "subsets=quick", "probe=converged_path", "completion=random"])
    samples = config.dataset.load(data_folder(config.paths.data_dir))
    flipped = planted_flips(samples)[0]
    job = algorithm(replace(config, dataset=Planted(source=config.dataset)), Store(tmp_path))
    inspection = inspect_job(job, InspectionSettings(most=2000))
    errors = inspection.of(LABEL)
    true = errors["id"].isin(samples.ids[flipped]).to_numpy()
    precision, recall = np.cumsum(true) / np.arange(1, len(true) + 1), np.cumsum(true) / len(flipped)
    reached = np.flatnonzero(recall >= 0.6)
    print(f"{dataset}: suspected {len(errors)}, of them {true.mean():.3f} planted, recall {recall[-1]:.3f}")
    print(f"precision at recall 0.6: {precision[reached[0]]:.3f}")
    assert precision[reached[0]] >= 0.8
    copies = inspection.of(DUPLICATE)
    across = copies[copies["across_splits"] == True]  # noqa: E712  of a column with empty cells
    test = samples.ids[np.flatnonzero(samples.splits == "test")[:COPIES]]
    assert set(test) <= set(across["id"])

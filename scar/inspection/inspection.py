"""One inspection of a dataset through an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scar.common.console import console
from scar.common.types import Ints
from scar.data.blank import blank_rows
from scar.inspection import findings as found
from scar.inspection.crossfit import cross_fit
from scar.inspection.kinds import KINDS
from scar.inspection.label_errors import check_labels
from scar.inspection.mismatched import pair_agreement
from scar.inspection.near_duplicates import content_groups, find_pairs
from scar.inspection.neighbours import Neighbours, find_neighbours, planned_bytes
from scar.inspection.options import InspectionSettings
from scar.job.job import Job
from scar.pairs.alignment import has_joint_space
from scar.store.keys import make_key


@dataclass(frozen=True, eq=False)
class Inspection:
    """What was found.

    Attributes:
        job: that was inspected.
        table: one row per finding, columns `scar.inspection.findings.COLUMNS`.
    """

    job: Job
    table: pd.DataFrame

    def of(self, kind: str) -> pd.DataFrame:
        """Return the findings of one kind."""
        return self.table[self.table["kind"] == kind]


def inspect_job(job: Job, settings: InspectionSettings | None = None) -> Inspection:
    """Look for samples that a person should see; what is computed is kept in the store.

    Training and test part are inspected together. Of pairs each modality is searched for duplicates on its own, and both
    together. Labels are only judged where they are given.

    Args:
        job: its dataset, encoder, probe and, for the planned additions by class, its plan.
        settings: what to look for.
    """
    settings = settings or InspectionSettings()
    about = _described(job)
    own = nearest_samples(job, settings, job.config.probed)
    tables = []
    if job.inputs.supervision is None:
        probabilities = out_of_sample_probabilities(job, settings)
        check = check_labels(probabilities, own, about.labels)
        tables.append(found.label_findings(check, about, most=settings.most))
        tables.append(found.border_findings(probabilities, about, most=settings.most))
    for modality in sorted(set(job.config.dataset.modalities) & {"image", "audio"}):
        tables.append(found.blank_findings(blank_samples(job, modality), about, modality=modality, most=settings.most))
    tables += _duplicates(job, settings, about)
    tables.append(found.outlier_findings(own, about, far=min(settings.far, own.index.shape[1]), most=settings.most))
    if len(job.config.modalities) == 2:
        towers = {modality: job.inputs.towers[modality].value for modality in job.config.modalities}
        agreement = pair_agreement(
            towers, joint=has_joint_space(job.config.encoder, towers), groups=content_groups(job.catalogue.contents),
            folds=settings.folds, seed=settings.seed,
        )  # fmt: skip
        tables.append(found.mismatch_findings(agreement, about, most=settings.most))
    order = {kind: place for place, kind in enumerate(KINDS)}
    table = pd.concat([each for each in tables if len(each)], ignore_index=True)
    return Inspection(job, table.sort_values("kind", key=lambda k: k.map(order), kind="stable", ignore_index=True))


def _described(job: Job) -> found.Labelled:
    plan = job.plans[-1] if job.plans else None
    names = job.steps.names
    planned = {} if plan is None else {name: int(count) for name, count in zip(names, plan.counts, strict=True)}
    return found.Labelled(catalogue=job.catalogue, labels=job.steps.labels, names=names, planned=planned)


def _duplicates(job: Job, settings: InspectionSettings, about: found.Labelled) -> list[pd.DataFrame]:
    tables, is_test = [], job.catalogue.splits == "test"
    modalities = job.config.modalities
    for modality in modalities:
        groups = content_groups(job.catalogue.contents, modality)
        pairs = find_pairs(groups, nearest_samples(job, settings, modality), settings.threshold, is_test)
        tables.append(found.duplicate_findings(pairs, about, modality=modality, most=settings.most))
    if len(modalities) > 1:
        groups = content_groups(job.catalogue.contents)
        nothing = Neighbours(np.zeros((len(groups), 1), np.float32), np.full((len(groups), 1), -1, np.int32))
        pairs = find_pairs(groups, nothing, settings.threshold, is_test)
        tables.append(found.duplicate_findings(pairs, about, modality="+".join(modalities), most=settings.most))
    return tables


def nearest_samples(job: Job, settings: InspectionSettings, modality: str) -> Neighbours:
    """Return the nearest samples of every one by the embeddings of a modality; kept in the store."""
    embeddings = job.inputs.towers[modality].value
    size = planned_bytes(len(embeddings), embeddings.dimension, settings.neighbours)
    console().print(
        f"{modality}: nearest neighbours of {len(embeddings):,} × {embeddings.dimension}, {size / 2**30:.2f} GiB planned",
        markup=False, highlight=False,
    )  # fmt: skip

    def make(folder: Path) -> None:
        near = find_neighbours(embeddings.array(), settings.neighbours)
        np.savez(folder / "neighbours.npz", allow_pickle=False, similarity=near.similarity, index=near.index)

    def read(folder: Path) -> Neighbours:
        with np.load(folder / "neighbours.npz", allow_pickle=False) as archive:
            return Neighbours(archive["similarity"], archive["index"])

    upstream = [job.inputs.towers[modality].key]
    key = make_key("neighbours", config=settings.neighbours, upstream=upstream, code=[find_neighbours])
    return job.store.load(key, make, read)


def blank_samples(job: Job, modality: str) -> Ints:
    """Return the samples whose sound or picture holds nothing; kept in the store."""
    key = make_key("blank", config={"modality": modality}, upstream=[job.inputs.dataset.key], code=[blank_rows])
    return job.store.load_array(key, "blank.npy", lambda: blank_rows(job.samples().payloads[modality]))


def out_of_sample_probabilities(job: Job, settings: InspectionSettings) -> np.ndarray:
    """Return [N, K] what cross-fitted probes say of every sample of training and test part; kept in the store."""
    config = job.config
    # copies vouch for each other whatever else differs, so that groups are those of the probed modality
    groups = content_groups(job.catalogue.contents, config.probed)

    def make() -> np.ndarray:
        return cross_fit(
            job.embeddings.array(), job.steps.labels, num_classes=job.num_classes, folds=settings.folds,
            seed=settings.seed, probe=config.probe, trainer=config.trainer, groups=groups,
        )  # fmt: skip

    key = make_key(
        "cross_fit",
        config={"folds": settings.folds, "seed": settings.seed, "probe": config.probe},
        upstream=[job.inputs.embeddings.key, job.inputs.steps.key],
        code=[cross_fit],
    )
    return job.store.load_array(key, "probabilities.npy", make)

"""The bank: error counts of probes at many sizes, of many datasets seen through encoders, in one Parquet file.

One row per probe and class. Of ``have`` are the probes on the subsets of what one has, a quarter of the data; of ``real``
those at twelve sizes up to all of it. Every gap, accuracy and estimate follows from these counts: `observations_of` gives
them back as what estimators read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from scar.measures.observations import Observations
from scar.store.store import Store
from scar.studies.common import open_job
from scar.studies.need.need_study import CUTS
from scar.studies.need.reality import observe_reality

PATH = Path(__file__).parent / "bank.parquet"
KEYS = ["dataset", "encoder", "seed", "role"]
PER_PROBE = ("factors", "parts", "sizes")
COUNTS = (
    "class_sizes",
    "train_misses",
    "train_false_alarms",
    "heldout_misses",
    "heldout_false_alarms",
    "true_positives",
)
MEASURES = ("scale", "coverage", "authenticity", "richness")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A dataset seen through an encoder.

    Attributes:
        dataset, encoder: names in the bank.
        overrides: that compose its jobs.
        tuning: whether constants of an estimator were chosen with its curves in view; it is not among the scored.
        root: whether it needs your own copy of the data, as ``dataset.root``.
    """

    dataset: str
    encoder: str
    overrides: tuple[str, ...]
    tuning: bool = False
    root: bool = False


SOURCES = (
    Source(dataset="digits", encoder="pixels", overrides=("dataset=digits", "encoder=pixels"), tuning=True),
    Source(
        dataset="fashion_mnist",
        encoder="pixels_pca",
        overrides=("dataset=fashion_mnist", "encoder=pixels_pca", "dataset.train_size=24000", "dataset.test_size=1000"),
        tuning=True,
    ),
    Source(
        dataset="wordnet_glosses",
        encoder="wordllama",
        overrides=(
            *("dataset=wordnet_glosses", "encoder=wordllama"),
            *("dataset.train_size=24000", "dataset.test_fraction=0.005"),
        ),
        tuning=True,
    ),
    *(
        Source(
            dataset="ag_news",
            encoder=encoder,
            overrides=("dataset=ag_news", f"encoder={encoder}", "dataset.test_size=500"),
            tuning=True,
            root=True,
        )
        for encoder in ("minilm", "wordllama", "tfidf")
    ),
    Source(
        dataset="cifar10",
        encoder="pixels_pca",
        overrides=("dataset=cifar10", "encoder=pixels_pca", "dataset.train_size=20000", "dataset.test_size=500"),
        tuning=True,
        root=True,
    ),
    Source(
        dataset="captioned_scenes_text",
        encoder="minilm",
        overrides=("dataset=captioned_scenes", "encoder=minilm"),
        tuning=True,
    ),
    Source(dataset="emoji_text", encoder="minilm", overrides=("dataset=emoji_pairs", "encoder=minilm"), tuning=True),
    *(
        Source(
            dataset="mnist",
            encoder=encoder,
            overrides=("dataset=image_folder", "dataset.name=mnist", f"encoder={encoder}"),
            tuning=True,
            root=True,
        )
        for encoder in ("pixels_pca", "efficientnet_lite0")
    ),
    *(
        Source(
            dataset="spam_assassin",
            encoder=encoder,
            overrides=(
                *("dataset=table", "dataset.name=spam_assassin"),
                *(f"encoder={encoder}", "dataset.test_fraction=0.05"),
            ),
            tuning=True,
            root=True,
        )
        for encoder in ("wordllama", "tfidf", "minilm")
    ),
    *(
        Source(
            dataset=dataset,
            encoder=encoder,
            overrides=("dataset=table", f"dataset.name={dataset}", f"encoder={encoder}", "dataset.test_fraction=0.05"),
            tuning=tuning,
            root=True,
        )
        for dataset, tuning, encoders in (
            ("sentiment", True, ("wordllama", "tfidf", "minilm")),
            ("word_language", True, ("wordllama", "minilm")),
            ("fortunes", True, ("wordllama", "tfidf", "minilm")),
            ("sotu", True, ("wordllama", "tfidf")),
            ("debian_packages", False, ("wordllama", "tfidf", "minilm")),
            ("city_country", False, ("wordllama", "minilm")),
            ("code_line", False, ("wordllama", "tfidf")),
        )
        for encoder in encoders
    ),
)


def records(seen: Observations) -> pd.DataFrame:
    """Return observations as rows, probe by probe and class by class."""
    if seen.heldout_class_sizes is None:
        raise ValueError("observations.heldout_class_sizes is None: a bank needs a held-out part")
    probes, classes = seen.class_sizes.shape
    columns = {name: np.repeat(getattr(seen, name), classes) for name in PER_PROBE}
    columns["class_id"] = np.tile(np.arange(classes), probes)
    columns["heldout_class_sizes"] = np.tile(seen.heldout_class_sizes, probes)
    columns |= {name: np.asarray(getattr(seen, name)).ravel() for name in COUNTS}
    frame = pd.DataFrame(columns).astype(np.int32)
    return frame.assign(**{name: getattr(seen, name).ravel().astype(np.float32) for name in MEASURES})


def observations_of(rows: pd.DataFrame) -> Observations:
    """Return what `records` wrote: the rows of one dataset, encoder, seed and role."""
    classes = int(rows.class_id.max()) + 1
    fields = {name: rows[name].to_numpy(np.int64).reshape(-1, classes) for name in (*PER_PROBE, *COUNTS)}
    probes = {name: fields.pop(name)[:, 0] for name in PER_PROBE}
    measures = {name: rows[name].to_numpy(np.float64).reshape(-1, classes) for name in MEASURES}
    heldout = rows.heldout_class_sizes.to_numpy(np.int64)[:classes]
    return Observations(
        **probes,
        **fields,
        **measures,
        heldout_class_sizes=heldout,
        n_total=int(probes["sizes"][probes["factors"] == 1][0]),
    )


def measure(source: Source, seed: int, *, store: Store, shared: tuple[str, ...] = ()) -> pd.DataFrame:
    """Train the probes of one source and seed, or read them from the store; returns rows of the bank."""
    job = open_job([*source.overrides, *shared, *CUTS, "probe=converged", "subsets=quick", f"seed={seed}"], store)
    about = {"dataset": source.dataset, "encoder": source.encoder, "seed": seed}
    seen = {"have": job.observations("primary"), "real": observe_reality(job)}
    frames = [records(each).assign(**about, role=role) for role, each in seen.items()]
    return pd.concat(frames, ignore_index=True)


def write_bank(frame: pd.DataFrame, path: Path = PATH) -> None:
    """Write a bank; the bytes depend on its rows alone."""
    ordered = frame.sort_values([*KEYS, *PER_PROBE, "class_id"], kind="stable")[[*KEYS, *_columns()]]
    ordered.to_parquet(path, index=False, compression="zstd", compression_level=19)


def read_bank(path: Path = PATH) -> pd.DataFrame:
    """Read a bank."""
    return pd.read_parquet(path)


def cases(bank: pd.DataFrame) -> Iterator[tuple[Source, dict[int, Observations], dict[int, Observations]]]:
    """Yield each source of a bank with what one has and what is real, by seed."""
    for source in SOURCES:
        rows = bank[(bank.dataset == source.dataset) & (bank.encoder == source.encoder)]
        if rows.empty:
            continue
        by_role = [
            {int(seed): observations_of(own) for seed, own in rows[rows.role == role].groupby("seed")}
            for role in ("have", "real")
        ]
        yield source, by_role[0], by_role[1]


def _columns() -> list[str]:
    return [*PER_PROBE, "class_id", "heldout_class_sizes", *COUNTS, *MEASURES]

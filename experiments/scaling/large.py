"""Anonymous memory and time of every stage for data larger than memory: ``python -m experiments.scaling.large 1e6``.

Pairs of vectors are computed when they are asked for, their encoders cost nothing: what is measured is what the stages
hold of a sample. Files that are mapped do not count; the kernel drops their pages where memory is wanted.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from scar.common.mapped import numbered
from scar.config.build import build
from scar.config.schema import Config
from scar.data.checks import validate_samples
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.stratify import draw_test_part
from scar.encoders.encoder import Encoder
from scar.encoders.paired import Paired
from scar.job.algorithm import characterize_set, prepare
from scar.job.flow import Flow
from scar.job.stages import preparing
from scar.sampling.step_functions import CrossModalLabels
from scar.store.store import Store
from scar.sweep.hydra_internals import packaged_configuration

CLASSES, DIMENSION, NOISE = 10, 8, 4093
OVERRIDES = ("dataset=digits", "subsets=quick", "logger=csv", "probe=converged")
PROBED = 100_000
"""Samples of the characterisation."""

_WATCH = """
import sys
peak, status = 0, f"/proc/{sys.argv[1]}/status"
import select
while True:
    with open(status) as file:
        now = next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))
    peak = max(peak, now)
    if select.select([sys.stdin], [], [], 0.01)[0]:
        if not sys.stdin.readline():
            break
        print(peak, flush=True)
        peak = 0
"""


@dataclass(frozen=True)
class Computed(Sequence[Any]):
    """Vectors [8] around the centre of a class, each computed when it is asked for; no two are the same."""

    size: int
    seed: int

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        vectors = 2 * rng.normal(size=(CLASSES, DIMENSION)) + rng.normal(size=(NOISE, 1, DIMENSION))
        object.__setattr__(self, "_vectors", vectors.astype(np.float32))

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, row: Any) -> Any:
        vector = self._vectors[row % NOISE, row // 3 % CLASSES].copy()  # type: ignore[attr-defined]
        vector[-1] = row * 2.0**-24
        return vector


@dataclass(frozen=True, kw_only=True)
class LargePairs(Source):
    """Pairs of computed vectors, a fifth of them the test part."""

    name: str = "large_pairs"
    count: int = 1_000_000

    @property
    def modalities(self) -> tuple[str, ...]:
        return ("image", "audio")

    def files(self, data_dir: Path) -> list[Path]:
        return []

    def load(self, data_dir: Path) -> Samples:
        samples = Samples(
            ids=numbered(self.count),
            payloads={each: Computed(self.count, seed) for seed, each in enumerate(self.modalities)},
            labels=None,
            class_names=(),
            splits=draw_test_part(np.zeros(self.count, np.int64), 0.2, self.seed),
            groups={},
        )
        return validate_samples(samples, name=self.name)


@dataclass(frozen=True, kw_only=True)
class Passed(Encoder):
    """Passes vectors on."""

    name: str = "passed"
    modality: str = "image"
    batch_size: int = 8192

    def weights(self) -> list[Path]:
        return []

    def open(self) -> Any:
        return lambda items: np.array(items, np.float32)


class AnonymousPeak:
    """The largest anonymous memory of this process, read by another one a hundred times a second."""

    def __init__(self) -> None:
        command = [sys.executable, "-S", "-c", _WATCH, str(os.getpid())]
        self._watch = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self) -> int:
        """Return the peak in bytes since the last call."""
        assert self._watch.stdin is not None
        assert self._watch.stdout is not None
        self._watch.stdin.write("\n")
        self._watch.stdin.flush()
        return 1024 * int(self._watch.stdout.readline())

    def close(self) -> None:
        assert self._watch.stdin is not None
        self._watch.stdin.close()
        self._watch.wait()


def configured(folder: Path, count: int) -> Config:
    """Return the configuration of a job over pairs, its labels by k-means, its probes on a sample."""
    with packaged_configuration() as compose:
        base = build(compose("config", [*OVERRIDES, f"paths.output_dir={folder}"]))
    towers = {each: Passed(modality=each) for each in ("image", "audio")}
    return replace(
        base,
        dataset=LargePairs(count=count),
        encoder=Paired(name="passed", **towers, modality="image+audio"),
        labels=CrossModalLabels(k=CLASSES, restarts=3, repeats=2),
        split=replace(base.split, train_size=min(PROBED, count // 2), test_size=min(PROBED, count // 10)),
        modality="image",
    )


def measure(folder: Path, count: int, *, characterised: bool = True) -> list[tuple[str, float, int]]:
    """Return seconds of the processor and peak anonymous bytes of every stage, with or without the characterisation."""
    config, flow = configured(folder, count), Flow(Store(folder / "store"))
    inputs = prepare(config, flow)
    parts: dict[str, Any] = {"subsets": config.subsets, "probe": config.probe, "foundation": config.foundation}
    parts |= {"seed": config.seed, "trainer": config.trainer}
    seen = characterize_set(flow, inputs.data, subject="primary", **parts)
    work = {
        "dataset": lambda: inputs.dataset.value,
        "embedding": lambda: [each.value for each in inputs.towers.values()],
        "labels by k-means": lambda: inputs.steps.value,
        "split": lambda: inputs.split.value,
        "subsets": lambda: flow(preparing.SUBSETS, inputs.split, subject="total", subsets=config.subsets, seed=0).value,
        "characterisation": lambda: (seen.measures.value, seen.foundation.value),
    }
    if not characterised:
        del work["characterisation"]
    found, peak = [], AnonymousPeak()
    for name, made in work.items():
        peak.read()
        start = time.process_time()
        made()
        found.append((name, time.process_time() - start, peak.read()))
    peak.close()
    return found


def main() -> None:
    """Print a row per stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", nargs="+", type=float)
    for count in map(int, parser.parse_args().samples):
        with tempfile.TemporaryDirectory() as folder:
            print(f"| {count:,} samples | processor | anonymous memory |\n|---|---|---|", flush=True)
            for name, seconds, peak in measure(Path(folder), count):
                print(f"| {name} | {seconds:.0f} s | {peak / 2**20:,.0f} MiB |", flush=True)


if __name__ == "__main__":
    main()

"""Data larger than memory: what the stages hold of a sample, and that nothing changes where files are mapped."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from experiments.scaling.large import configured
from scar.common import mapped
from scar.job.algorithm import prepare
from scar.job.flow import Flow
from scar.pairs import supervision
from scar.sampling import clusters
from scar.store.store import Store

_PEAKS = """
import sys, tempfile
from pathlib import Path
from scar.common import mapped
from scar.sampling import clusters
from scar.pairs import supervision
mapped.LARGE = 1 << 18
clusters.IN_MEMORY = supervision.IN_MEMORY = 1 << 18
from experiments.scaling.large import measure
for count in (20_000, 100_000, 300_000):
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as folder:
        print(*(peak for _, _, peak in measure(Path(folder), count, characterised=False)))
"""
_BYTES = 130
# Of a sample: sixteen index arrays, which is what a split and its subsets, drawn together, hold at their peak.


def inputs_of(folder, count, **split):
    config = configured(folder, count)
    config = replace(config, split=replace(config.split, **split))
    return prepare(config, Flow(Store(folder / "store")))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells anonymous memory apart")
def test_memory_grows_with_index_arrays_alone(tmp_path):
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "MALLOC_TRIM_THRESHOLD_": "65536",
        "MALLOC_MMAP_THRESHOLD_": "65536",
    }
    made = subprocess.run(
        [sys.executable, "-c", _PEAKS, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    _, small, large = (list(map(int, line.split())) for line in made.stdout.splitlines())
    slopes = [(b - a) / 200_000 for a, b in zip(small, large, strict=True)]
    assert max(slopes) < _BYTES, slopes


def test_mapped_data_give_what_data_in_memory_give(tmp_path, monkeypatch):
    plain = inputs_of(tmp_path / "plain", 9_000)
    expected = (plain.dataset.value, plain.steps.value, plain.split.value, plain.embeddings.value.array())
    monkeypatch.setattr(mapped, "LARGE", 0)
    large = inputs_of(tmp_path / "mapped", 9_000)
    found = (large.dataset.value, large.steps.value, large.split.value, large.embeddings.value.array())
    assert not found[0].ids.flags.writeable
    for one, other in zip(expected[:3], found[:3], strict=True):
        for name, value in vars(one).items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(getattr(other, name), value)
    np.testing.assert_array_equal(found[3], expected[3])


def test_embeddings_of_several_shards_are_one_mapped_file(tmp_path):
    embeddings = inputs_of(tmp_path, 9_000).embeddings.value
    assert isinstance(embeddings.array(), np.memmap)
    assert len(embeddings.shards) == 1


def test_clusters_in_chunks_are_those_of_memory(tmp_path, monkeypatch):
    plain = inputs_of(tmp_path / "plain", 20_000).supervision.value
    for module in (clusters, supervision):
        monkeypatch.setattr(module, "IN_MEMORY", 1 << 15)
    chunked = inputs_of(tmp_path / "chunked", 20_000).supervision.value
    for name, one in plain.clusters.items():
        other = chunked.clusters[name]
        assert other.inertia < 1.02 * one.inertia
        assert other.sizes.tolist() == sorted(other.sizes.tolist(), reverse=True)

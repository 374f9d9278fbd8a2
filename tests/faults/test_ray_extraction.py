"""Embeddings made by tasks of Ray: the artefact of one process, whatever task or node dies."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from faults.test_ends import wait_for
from faults.test_ray_faults import cluster  # noqa: F401  a fixture
from scar.encoders.embeddings.embedding_set import EmbeddingSet
from scar.encoders.embeddings.on_ray import RayExtraction

ENCODER = """
import os, signal, time
from dataclasses import dataclass
from pathlib import Path
from scar.encoders.random_vectors import RandomVectors

@dataclass(frozen=True, kw_only=True)
class Disturbed(RandomVectors):
    name: str = "disturbed"

    def open(self):
        embed, place, batches = super().open(), Path(__file__).parent, []

        def disturbed(texts):
            batches.append(len(texts))
            if (how := (place / "how").read_text()) != "calm":
                (place / f"at-work-{os.getpid()}").touch()
                if how == "die once" and len(batches) == 3 and not (place / "died").exists():
                    (place / "died").touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                while how == "wait" and len(batches) == 3 and not (place / "go").exists():
                    time.sleep(0.05)
            else:
                with (place / "calmly").open("a") as file:
                    print(len(texts), file=file)
            return embed(texts)

        return disturbed
"""
ROWS = 20_000


@pytest.fixture
def folder(tmp_path):
    """A table of three shards, and an encoder that disturbs its extraction."""
    words = np.random.default_rng(0).integers(0, 500, (ROWS, 4))
    lines = [f"{' '.join(f'word{w}' for w in row)} row{i},{'ab'[i % 2]}" for i, row in enumerate(words)]
    (tmp_path / "data.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    (tmp_path / "mine.py").write_text(ENCODER)
    (tmp_path / "conf" / "encoder").mkdir(parents=True)
    (tmp_path / "conf" / "encoder" / "disturbed.yaml").write_text(
        "_target_: mine.Disturbed\nname: disturbed\nmodality: text\nbatch_size: 1024\ndimension: 16\n"
    )
    (tmp_path / "home").mkdir()
    yield tmp_path
    assert not (tmp_path / "home" / ".ray").exists()


def begin(folder, study, *arguments, how="calm"):
    """Start a job; what follows the embeddings is as small as may be."""
    (folder / "how").write_text(how)
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "HOME": str(folder / "home")}
    command = [
        *(sys.executable, "-m", "scar.commands.run", "dataset=table", f"dataset.root={folder / 'data.csv'}"),
        *(
            "dataset.text=text",
            "dataset.label=label",
            "encoder=disturbed",
            "logger=csv",
            "report=false",
            f"study=of-{study}",
        ),
        *(
            "subsets.factors=[1,2]",
            "subsets.max_parts=1",
            "foundation.estimators=[paper,heldout]",
            "budgets.fractions=[0.1]",
        ),
        *("probe=linear", "probe.max_epochs=1", "trainer.threads=1", "forecast.compositions=0", *arguments),
        *(f"hydra.searchpath=[file://{folder / 'conf'}]", f"paths.store_dir={folder / study}"),
    ]
    with (folder / "log.txt").open("a") as log:
        return subprocess.Popen(command, cwd=folder, env=settings, stdout=log, stderr=log, start_new_session=True)


def embedded(folder, study):
    """Return the folder of the only embeddings of a store, and what they are."""
    (artefact,) = (folder / study / "embeddings").iterdir()
    assert not list((folder / study / "partial").glob("*/shard-*"))
    return artefact.name, EmbeddingSet.load(artefact)


def check_equal(folder, study):
    """The same key as without Ray, and every row once, with the same vector."""
    assert begin(folder, "calm").wait(timeout=300) == 0, (folder / "log.txt").read_text()
    (key, expected), (ours, found) = embedded(folder, "calm"), embedded(folder, study)
    assert ours == key
    assert len(found.shards) == 1
    assert found.ids.tolist() == expected.ids.tolist()
    assert len(set(found.ids.tolist())) == ROWS
    np.testing.assert_allclose(found.array(), expected.array(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"cpus": 0}, "extraction.cpus=0"),
        ({"gpus": 1.5}, "extraction.gpus=1.5"),
        ({"gpus": -1}, "extraction.gpus=-1"),
        ({"retries": -1}, "extraction.retries=-1"),
        ({"workers": 0}, "extraction.workers=0"),
        ({"address": "ray://head:10001"}, "ray job submit"),
    ],
)
def test_what_ray_cannot_be_asked_for_is_refused(values, key):
    with pytest.raises(ValueError, match=key):
        RayExtraction(**values)


@pytest.mark.slow
def test_tasks_make_the_artefact_and_the_shard_of_one_that_dies_is_made_again(folder):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'scar-data[ray]'")
    assert begin(folder, "ray", "extraction=ray", how="die once").wait(timeout=300) == 0, (
        folder / "log.txt"
    ).read_text()
    assert (folder / "died").exists()
    assert len(list(folder.glob("at-work-*"))) >= 2
    check_equal(folder, "ray")


@pytest.mark.slow
def test_an_extraction_goes_on_after_it_lost_a_node_and_was_stopped(folder, cluster):  # noqa: F811
    arguments = ["extraction=ray", f"extraction.address={cluster.address}"]
    process = begin(folder, "ray", *arguments, how="wait")
    wait_for(lambda: len(list(folder.glob("at-work-*"))) == 2 or process.poll() is not None)
    assert process.poll() is None, (folder / "log.txt").read_text()
    cluster.remove_node(cluster.second, allow_graceful=False)
    (folder / "go").touch()
    wait_for(lambda: list((folder / "ray").glob("partial/*/shard-*.cost.json")) or process.poll() is not None)
    process.terminate()
    assert process.wait(timeout=60) in (0, 143), (folder / "log.txt").read_text()
    noted = [each.with_suffix(".cost.json") for each in (folder / "ray").glob("partial/*/shard-*.npy")]
    made = sum(json.loads(each.read_text())["embedded"] for each in noted if each.is_file())
    made = made if process.returncode else ROWS
    assert begin(folder, "ray", *arguments).wait(timeout=300) == 0, (folder / "log.txt").read_text()
    again = (folder / "calmly").read_text().split() if made < ROWS else []
    assert sum(map(int, again)) == ROWS - made
    check_equal(folder, "ray")

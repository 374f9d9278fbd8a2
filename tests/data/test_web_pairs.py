"""The pairs of the web as dataset configs: they compose, read the shards that img2dataset writes, and their costs add up."""

import io
import re
import tarfile
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from PIL import Image

import scar.conf
from scar.config.build import build

CONF = Path(next(iter(scar.conf.__path__)))
PAIRS = {"cc3m": 2.82e6, "cc12m": 10.8e6, "yfcc15m": 15e6, "laion40m": 40e6}

every_dataset = pytest.mark.parametrize("name", PAIRS)


def config_of(name, *overrides):
    with initialize_config_module("scar.conf", version_base="1.3"):
        return build(compose("config", [f"dataset={name}", "labels=cross_modal", "modality=image", *overrides]))


def write_shard(path, count):
    """Write a shard as img2dataset does: image, caption and a record of the download under one key."""
    with tarfile.open(path, "w") as tar:
        for row in range(count):
            image = io.BytesIO()
            Image.new("RGB", (8, 8), (row, 0, 0)).save(image, "JPEG")
            members = {"jpg": image.getvalue(), "txt": f"caption {row}".encode(), "json": b'{"status": "success"}'}
            for extension, content in members.items():
                info = tarfile.TarInfo(f"{path.stem}{row:04d}.{extension}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


@every_dataset
def test_the_config_composes_for_pairs_without_labels(name):
    config = config_of(name)
    assert config.dataset.modalities == ("image", "text")
    assert config.dataset.label is None
    assert config.encoder.name == "lite0_minilm"


@every_dataset
def test_shards_as_img2dataset_writes_them_are_read(name, tmp_path):
    for shard in range(2):
        write_shard(tmp_path / f"{shard:05d}.tar", 6)
    samples = config_of(name, f"dataset.root={tmp_path}", "dataset.test_fraction=0.25").dataset.load(tmp_path)
    assert len(samples) == 12
    assert (samples.splits == "test").sum() == 3
    assert samples.labels is None
    texts = samples.payloads["text"]
    assert sorted(texts) == sorted(2 * [f"caption {row}" for row in range(6)])
    row = texts.index("caption 5")
    assert samples.payloads["image"][row].size == (8, 8)


@every_dataset
def test_the_costs_in_the_comment_follow_from_pairs_and_rates(name):
    comment = " ".join(
        line[1:].strip() for line in (CONF / "dataset" / f"{name}.yaml").read_text().splitlines() if line[:1] == "#"
    )
    pairs = PAIRS[name]
    rate, hours = _numbers(r"fetching\s+([\d.]+) images/s.*?: ([\d.]+) h", comment)
    assert hours == pytest.approx(pairs / rate / 3600, rel=0.06)
    images, captions, first, second = _numbers(
        r"embedding\s+([\d.]+) images/s and ([\d.]+) captions/s.*?: ([\d.]+) h and ([\d.]+) h", comment
    )
    assert first == pytest.approx(pairs / images / 3600, rel=0.06)
    assert second == pytest.approx(pairs / captions / 3600, rel=0.06)
    tokens, size = _numbers(r"codes\s+(\d+) × 4 bytes.*?: ([\d.]+) GB", comment)
    assert size == pytest.approx(4 * tokens * pairs / 1e9, rel=0.03)
    kilobytes, whole = _numbers(r"and ([\d.]+) kB a pair.*?: (\d+) GB", comment)
    assert whole == pytest.approx(1e3 * kilobytes * pairs / 1e9, rel=0.06)


def _numbers(pattern, text):
    found = re.search(pattern, text)
    assert found, pattern
    return [float(each) for each in found.groups()]

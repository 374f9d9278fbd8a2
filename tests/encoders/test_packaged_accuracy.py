"""Every dataset whose encoder ships in packages: the probe reaches the accuracy that is on record."""

import csv
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module

from scar.config.build import build
from scar.data.fetch import FetchError
from scar.data.paths import data_folder
from scar.job.algorithm import algorithm
from scar.store.store import Store

EXPECTED = Path(__file__).parent / "expected_probe_accuracy.csv"
TOLERANCE = 0.05
"""Of 60 to 400 test samples; another processor, or another version of a library, moves a few of them."""


def expected() -> list[dict[str, str]]:
    with EXPECTED.open() as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def probe_accuracy(row: dict[str, str], store: Path) -> float:
    """Train the default probe on all that split and sizes leave for training, and test it."""
    sizes = [f"dataset.{part}={row[part]}" for part in ("train_size", "test_size")]
    overrides = [f"dataset={row['dataset']}", f"encoder={row['encoder']}", f"modality={row['modality']}", *sizes]
    with initialize_config_module("scar.conf", version_base="1.3"):
        config = build(compose("config", overrides))
    job = algorithm(config, Store(store))
    (arm,) = (each for each in job.arms if each.subject == "total")
    return arm.scores.value.accuracy


@pytest.mark.slow
@pytest.mark.parametrize("row", expected(), ids=lambda row: f"{row['dataset']}-{row['modality']}")
def test_the_default_probe_reaches_the_accuracy_on_record(
    row: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCAR_OFFLINE", "1")
    with initialize_config_module("scar.conf", version_base="1.3"):
        source = build(compose("config", [f"dataset={row['dataset']}", f"modality={row['modality']}"])).dataset
    try:
        source.files(data_folder())
    except FetchError:
        pytest.skip(f"{row['dataset']} is not in the cache: scar-admin fetch {row['dataset']}")
    assert probe_accuracy(row, tmp_path) == pytest.approx(float(row["accuracy"]), abs=TOLERANCE)


def test_each_packaged_modality_is_on_record_with_the_encoder_that_follows_its_dataset() -> None:
    assert {row["modality"] for row in expected()} == {"image", "text", "audio", "video"}
    for row in expected():
        with initialize_config_module("scar.conf", version_base="1.3"):
            config = build(compose("config", [f"dataset={row['dataset']}", f"modality={row['modality']}"]))
        assert config.encoder.name == row["encoder"]
        assert 0 < float(row["accuracy"]) < 1

"""Studies take in the datasets whose files are there, and say which are left out."""

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from scar.sweep.present import is_present, register_with_present


@pytest.fixture
def data(tmp_path, monkeypatch):
    is_present.cache_clear()
    register_with_present()
    monkeypatch.setenv("SCAR_DATA", str(tmp_path))
    (tmp_path / "ag_news").mkdir()
    for part in ("train", "test"):
        (tmp_path / "ag_news" / f"{part}.csv").write_text('"1","a title","a text"\n')
    return tmp_path


def test_a_copy_that_is_there_joins_the_sweep_and_another_is_said_to_be_left_out(data, capsys):
    node = OmegaConf.create({"paths": {"data_dir": None}, "dataset": "${with_present:digits,ag_news,cifar10}"})
    assert node.dataset == "digits,ag_news"
    assert f"cifar10 is left out: it is not in {data}" in " ".join(capsys.readouterr().out.split())
    assert node.dataset == "digits,ag_news"
    assert capsys.readouterr().out == ""  # said once


def test_the_first_need_not_be_there_since_it_can_be_fetched(data):
    assert (
        OmegaConf.create({"paths": {"data_dir": None}, "x": "${with_present:cifar10,ag_news}"}).x == "cifar10,ag_news"
    )


@pytest.mark.parametrize(
    ("study", "datasets"),
    [
        ("encoders_text", "wordnet_glosses,ag_news"),
        ("encoders_image", "fashion_mnist"),
        ("completion_study_images", "fashion_mnist"),
    ],
)
def test_the_studies_sweep_over_what_is_there(data, study, datasets):
    with initialize_config_module("scar.conf", version_base="1.3"):
        config = compose("config", [f"experiment={study}"], return_hydra_config=True)
    assert config.hydra.sweeper.params.dataset == datasets

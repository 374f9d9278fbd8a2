"""Every YAML of dataset and encoder composes, is complete, and names a class that takes its fields."""

from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from scar.data.source import Source
from scar.encoders.base import Encoder

CONF = Path(__file__).parents[2] / "conf"
DATASETS = sorted(path.stem for path in (CONF / "dataset").glob("*.yaml"))
ENCODERS = sorted(path.stem for path in (CONF / "encoder").glob("*.yaml") if not path.stem.startswith("default_"))
NODES = [("dataset", name) for name in DATASETS] + [("encoder", name) for name in ENCODERS]

Compose = Callable[..., DictConfig]


@pytest.fixture
def composed(tmp_path: Path) -> Compose:
    """Compose a dataset and the encoder that follows it, as the run does."""
    primary = {
        "defaults": ["_self_", {"dataset": "fashion_mnist"}, {"encoder": "default_${dataset}"}],
        "hydra": {"searchpath": [CONF.as_uri()]},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(primary))

    def make(*overrides: str) -> DictConfig:
        with initialize_config_dir(str(tmp_path), version_base=None):
            return compose("config", overrides=list(overrides))

    return make


def test_there_are_configs() -> None:
    assert {"fashion_mnist", "wordnet_glosses", "digits"} <= set(DATASETS)
    assert {"efficientnet_lite0", "minilm", "wordllama", "pixels"} <= set(ENCODERS)


@pytest.mark.parametrize(("group", "name"), NODES)
def test_a_config_lists_every_field_with_its_type_and_makes_the_object(
    composed: Compose, group: str, name: str
) -> None:
    node = composed(f"{group}={name}", *(["encoder=pixels"] if group == "dataset" else []))[group]
    schema = get_class(node._target_)
    assert issubclass(schema, {"dataset": Source, "encoder": Encoder}[group])
    assert {key for key in node if key != "_target_"} == {field.name for field in fields(schema)}
    values = {key: value for key, value in OmegaConf.to_container(node).items() if key != "_target_"}  # type: ignore[union-attr]
    typed = OmegaConf.merge(OmegaConf.structured(schema), values)
    assert OmegaConf.to_object(typed) == instantiate(node)
    assert instantiate(node).name == name


@pytest.mark.parametrize(("group", "name"), NODES)
def test_a_config_says_no_other_than_the_defaults_of_its_class(composed: Compose, group: str, name: str) -> None:
    node = composed(f"{group}={name}", *(["encoder=pixels"] if group == "dataset" else []))[group]
    defaults: dict[str, Any] = {f.name: f.default for f in fields(get_class(node._target_)) if f.default is not MISSING}
    assert {key: value for key, value in node.items() if key != "_target_"} == defaults


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_encoder_follows_the_dataset_and_reads_its_modality(composed: Compose, dataset: str) -> None:
    followed = composed(f"dataset={dataset}")
    default = composed(f"dataset={dataset}", f"encoder=default_{dataset}")
    assert followed == default
    modalities = {"fashion_mnist": "image", "digits": "image", "wordnet_glosses": "text"}
    assert followed.encoder.modality == modalities.get(dataset, followed.encoder.modality)
    assert composed(f"dataset={dataset}", "encoder=wordllama").encoder.name == "wordllama"


@pytest.mark.parametrize(("group", "name"), NODES)
def test_a_config_begins_with_what_it_is_the_command_and_the_number(group: str, name: str) -> None:
    comment = [line for line in (CONF / group / f"{name}.yaml").read_text().splitlines() if line.startswith("#")]
    assert len(comment) >= 3
    assert any(f"{group}={name}" in line for line in comment)
    assert any("Expect" in line for line in comment)

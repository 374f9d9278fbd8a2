"""Every YAML of dataset and encoder composes, is complete, and names a class that takes its fields."""

import re
from collections.abc import Callable
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf

from scar.config.nodes import make_target
from scar.data.source import Source
from scar.encoders.encoder import Encoder

CONF = Path(__file__).parents[2] / "conf"
DATASETS = sorted(path.stem for path in (CONF / "dataset").glob("*.yaml"))
ENCODERS = sorted(
    path.stem for path in (CONF / "encoder").glob("*.yaml") if "_target_" in yaml.safe_load(path.read_text())
)  # the others only follow the dataset
NODES = [("dataset", name) for name in DATASETS] + [("encoder", name) for name in ENCODERS]

Compose = Callable[..., DictConfig]


@pytest.fixture
def composed(tmp_path: Path) -> Compose:
    """Compose a dataset and the encoder that follows it, as the run does."""
    primary = {
        "defaults": ["_self_", {"encoder": "???"}, {"dataset": "fashion_mnist"}],
        "hydra": {"searchpath": [CONF.as_uri()]},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(primary))

    def make(*overrides: str) -> DictConfig:
        with initialize_config_dir(str(tmp_path), version_base=None):
            return compose("config", overrides=list(overrides))

    return make


def test_there_are_configs() -> None:
    assert {"fashion_mnist", "wordnet_glosses", "digits"} <= set(DATASETS)
    assert {"cifar10", "cifar100", "imagenet", "ag_news", "dbpedia", "wikipedia"} <= set(DATASETS)
    assert {"image_folder", "hub", "table", "webdataset", "embeddings_file"} <= set(DATASETS)
    assert {"efficientnet_lite0", "minilm", "wordllama", "pixels"} <= set(ENCODERS)


@pytest.mark.parametrize(("group", "name"), NODES)
def test_a_config_lists_every_field_with_its_type_and_makes_the_object(
    composed: Compose, group: str, name: str
) -> None:
    node = composed(f"{group}={name}", *(["encoder=pixels"] if group == "dataset" else []))[group]
    schema = get_class(node._target_)
    assert issubclass(schema, {"dataset": Source, "encoder": Encoder}[group])
    assert {key for key in node if key != "_target_"} == {field.name for field in fields(schema)}
    assert make_target(node, group) == instantiate(node)
    written: Any = OmegaConf.to_container(node, resolve=False)
    assert written["name"] in (name, "${.model}")


def _defaults(schema: type) -> dict[str, Any]:
    """Return the default of every field that has one, as a configuration holds it."""
    found: dict[str, Any] = {}
    for each in fields(schema):
        if each.default is not MISSING:
            found[each.name] = each.default
        elif each.default_factory is not MISSING:
            found[each.name] = each.default_factory()
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(inner) for name, inner in asdict(value).items()}
    return list(value) if isinstance(value, tuple) else value


def _names_objects(node: DictConfig) -> bool:
    return any(isinstance(value, DictConfig) and "_target_" in value for value in node.values())


def _unlike_defaults(node: DictConfig) -> set[str]:
    """Return the fields whose value in a configuration is not the default, without objects and the title."""
    values: Any = OmegaConf.to_container(node)
    defaults = _defaults(get_class(node._target_))
    plain = {
        k: v
        for k, v in values.items()
        if k not in ("_target_", "title") and not (isinstance(v, dict) and "_target_" in v)
    }
    return {key for key, value in plain.items() if key not in defaults or value != defaults[key]}


@pytest.mark.parametrize(("group", "name"), NODES)
def test_a_config_says_no_other_than_the_defaults_of_its_class(composed: Compose, group: str, name: str) -> None:
    """The config that bears the name of its class says its defaults; others of the same class say what they are.

    What has nothing to do with which data or model it is (seed, sizes, places, devices) is never changed by a config.
    """
    node = composed(f"{group}={name}", *(["encoder=pixels"] if group == "dataset" else []))[group]
    schema = get_class(node._target_)
    unlike = _unlike_defaults(node)
    if _defaults(schema).get("name") == name:
        assert not unlike
        return
    assert unlike - {"name"} or _names_objects(node), "a config of its own that says nothing of its own"
    general = {f.name for f in fields(Source)} if group == "dataset" else set()
    runtime = {f.name for f in fields(schema) if f.metadata.get("runtime")}
    assert not unlike & (general | runtime) - {"name", "batch_size"}


@pytest.mark.parametrize(
    ("name", "own"), [("imagenet", {"name", "test_folder", "names_files"}), ("imagenet_v2", {"name", "test_fraction"})]
)
def test_a_dataset_of_a_general_class_says_just_what_makes_it_that_dataset(
    composed: Compose, name: str, own: set[str]
) -> None:
    assert _unlike_defaults(composed(f"dataset={name}", "encoder=pixels").dataset) == own


def test_every_dataset_of_the_hub_is_pinned_to_a_commit(composed: Compose) -> None:
    nodes = {name: composed(f"dataset={name}", "encoder=pixels").dataset for name in DATASETS}
    pinned = {name: node.revision for name, node in nodes.items() if node.get("repo")}
    assert {"ag_news", "dbpedia"} <= set(pinned)
    assert all(re.fullmatch("[0-9a-f]{40}", str(revision)) for revision in pinned.values()), pinned


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_encoder_follows_the_dataset_and_reads_its_modality(composed: Compose, dataset: str) -> None:
    followed = composed(f"dataset={dataset}")
    assert set(make_target(followed.encoder, "encoder").towers()) & set(instantiate(followed.dataset).modalities)
    assert composed(f"dataset={dataset}", "encoder=wordllama").encoder.name == "wordllama"


@pytest.mark.parametrize(("group", "name"), NODES)
def test_a_config_begins_with_what_it_is_the_command_and_the_number(group: str, name: str) -> None:
    comment = [line for line in (CONF / group / f"{name}.yaml").read_text().splitlines() if line.startswith("#")]
    assert len(comment) >= 3
    assert any(f"{group}={name}" in line for line in comment)
    assert any("Expect" in line for line in comment)

import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from scar.probes.settings import ProbeConfig, TrainerConfig

CONF = Path(__file__).parents[2] / "conf"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"solver": "sgd"}, "probe.solver='sgd' is unknown; use one of adam, lbfgs"),
        ({"scaling": "minmax"}, "probe.scaling"),
        ({"monitor": "loss"}, "probe.monitor"),
        ({"precision": "fp8"}, "probe.precision"),
        ({"batch_size": 0}, "probe.batch_size=0 must be above 0 and finite; null takes the whole training part"),
        ({"learning_rate": -1.0}, "probe.learning_rate"),
        ({"max_epochs": 0}, "probe.max_epochs"),
        ({"patience": 0}, "probe.patience"),
        ({"tolerance": float("nan")}, "probe.tolerance"),
        ({"solver": "adam"}, "adam takes none; probe=linear"),
        ({"penalties": ()}, "needs at least one"),
        ({"penalties": (0.0,)}, "must be above 0"),
        ({"penalties": (float("inf"),)}, "must be above 0 and finite"),
        ({"tolerance": float("inf")}, "probe.tolerance=inf must be above 0 and finite"),
        ({"penalties": (1.0,), "monitor": "train_accuracy"}, "probe.monitor"),
    ],
)
def test_a_bad_probe_setting_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        ProbeConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "fsdp"}, "trainer.strategy"),
        ({"devices": 0}, "trainer.devices"),
        ({"threads": 0}, "trainer.threads"),
        ({"memory_gib": 0.0}, "trainer.memory_gib"),
        ({"memory_gib": float("inf")}, "trainer.memory_gib=inf must be above 0 and finite"),
        ({"devices": 2}, "use trainer.strategy=ddp_spawn"),
    ],
)
def test_a_bad_trainer_setting_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainerConfig(**settings)


@pytest.mark.parametrize("path", sorted(CONF.glob("probe/*.yaml")), ids=lambda path: path.stem)
def test_every_probe_file_is_complete_and_valid(path):
    _check(path, ProbeConfig)


@pytest.mark.parametrize("path", sorted(CONF.glob("trainer/*.yaml")), ids=lambda path: path.stem)
def test_every_trainer_file_is_complete_and_valid(path):
    _check(path, TrainerConfig)


def _check(path, schema):
    given = OmegaConf.load(path)
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), given))
    assert isinstance(config, schema)
    assert set(given) == set(schema.__dataclass_fields__)
    assert config.name == path.stem


@pytest.mark.parametrize(("name", "config"), [("converged", ProbeConfig()), ("linear", ProbeConfig.linear())])
def test_files_and_code_have_the_same_settings(name, config):
    assert ProbeConfig(**OmegaConf.to_container(OmegaConf.load(CONF / f"probe/{name}.yaml"))) == config


def test_only_stopping_or_choosing_needs_a_validation_part():
    assert ProbeConfig.linear().needs_validation
    assert not ProbeConfig.linear(monitor="train_accuracy").needs_validation
    assert not ProbeConfig(penalties=(0.1,)).needs_validation
    assert ProbeConfig(penalties=(0.1, 0.2)).needs_validation


def test_a_penalty_is_chosen_once_only_where_there_is_a_choice_to_share():
    assert ProbeConfig().chooses_once
    assert not ProbeConfig(penalties=(0.1,)).chooses_once
    assert not ProbeConfig(shared_penalty=False).chooses_once
    assert not ProbeConfig.linear().chooses_once


def test_the_probe_set_and_the_configs_need_no_torch():
    code = (
        "import sys, scar.probes.settings; from scar.probes.probe_set import ProbeSet; "
        "assert ProbeSet; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

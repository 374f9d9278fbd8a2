"""The sweep file of experiments/wandb: every combination that W&B would send composes into a valid job."""

from itertools import product
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from scar.config.build import build, job_digest

SWEEP = Path(__file__).parents[2] / "experiments" / "wandb" / "sweep.yaml"


def commands():
    """Fill in the macros of the command as the agent of wandb does."""
    utils = pytest.importorskip("wandb.sdk.launch.sweeps.utils")
    sweep = OmegaConf.to_container(OmegaConf.load(SWEEP), resolve=False)
    names = list(sweep["parameters"])
    for values in product(*(sweep["parameters"][name]["values"] for name in names)):
        arguments = {"args": {name: {"value": value} for name, value in zip(names, values, strict=True)}}
        filled = utils.create_sweep_command_args(arguments)
        line = []
        for part in sweep["command"]:
            macro = part.removeprefix("${").removesuffix("}")
            line += filled.get(macro, [] if macro == "env" else [part])
        yield line


def test_every_combination_is_a_job_of_its_own():
    lines = list(commands())
    assert len(lines) == 60
    digests = set()
    with initialize_config_module("scar.conf", version_base="1.3"):
        for line in lines[::7] + lines[-1:]:
            assert line[0] == "scar"
            composed = compose("config", overrides=line[1:])
            assert build(composed).logger.wandb == "online"
            digests.add(job_digest(composed))
    assert len(digests) == len(lines[::7] + lines[-1:])

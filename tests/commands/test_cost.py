"""`scar-admin cost`: what a run will take, and that every estimate uses the same arithmetic."""

import json

import pytest

from scar.commands.admin import main
from scar.common.console import console
from scar.job import costs
from scar.job.costs import EncoderCost, UnitCosts, estimate, plan_size
from scar.probes.settings import ProbeConfig
from scar.sampling.subsets import SubsetsConfig

UNITS = UnitCosts(hashed=1e6, written=2e6, trained=1e9)
DIGITS = ["dataset=digits", "encoder=pixels"]


def run(*arguments):
    console.cache_clear()
    with pytest.raises(SystemExit) as ended:
        main(["cost", *arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def known(monkeypatch):
    """A machine whose unit costs are known."""
    monkeypatch.setattr(costs, "unit_costs", lambda **named: UNITS)
    monkeypatch.setattr(costs, "measured_encoder", lambda encoder, samples: EncoderCost(0.5, 64))


def test_hours_bytes_and_shards_by_hand():
    plan = SubsetsConfig(factors=(1, 2), max_parts=1)
    assert plan_size(plan) == (2, 1.5)
    adam = ProbeConfig.linear()
    found = estimate(UNITS, [EncoderCost(0.36, 10)], plan, adam, samples=100_000, classes=5, held=100)
    assert found.embedding_bytes == 4_000_000
    assert found.shards == 13
    assert found.embedding_hours == pytest.approx(10)
    assert found.hashing_hours == pytest.approx(4 / 3600)
    assert found.written_hours == pytest.approx(2 / 3600)
    assert found.probe_bytes == 4 * 11 * 5 * 2
    assert found.training_hours == pytest.approx(100_000 * 10 * 5 * 100 * 1.5 / 1e9 / 3600)
    assert found.memory_bytes == 10_000_000


@pytest.mark.parametrize(
    ("probe", "passes", "work"),
    [
        (ProbeConfig.linear(max_epochs=70), 70, 70 * 1.5),
        (ProbeConfig(), 35, 35 * 1.5 + 70),
        (ProbeConfig(shared_penalty=False), 70, 70 * 1.5),
        (ProbeConfig(penalties=(0.1,)), 35, 35 * 1.5),
        (ProbeConfig(penalties=(0.1,), max_epochs=10), 10, 10 * 1.5),
    ],
)
def test_passes_are_those_of_the_solver(probe, passes, work):
    plan = SubsetsConfig(factors=(1, 2), max_parts=1)
    found = estimate(UNITS, [EncoderCost(1, 10)], plan, probe, samples=1000, classes=5)
    assert found.passes == passes
    assert found.training_hours == pytest.approx(1000 * 10 * 5 * work / 1e9 / 3600)


def test_both_towers_of_pairs_and_every_caption_are_counted():
    towers = [EncoderCost(1, 10), EncoderCost(2, 20, rows=5)]
    found = estimate(UNITS, towers, SubsetsConfig(), ProbeConfig(), samples=3600, classes=2)
    assert found.embedding_hours == pytest.approx(3)
    assert found.embedding_bytes == 3600 * 4 * (10 + 5 * 20)


def test_a_script_gets_everything_as_json(known, capsys):
    assert run(*DIGITS, "dataset.train_size=400", "dataset.test_size=100", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["samples"], found["classes"], found["probes"]) == (True, 500, 10, 83)
    assert found["embedding_hours"] == pytest.approx(250 / 3600)
    assert found["disk_bytes"] == 500 * 64 * 4 + 2 * 4 * 65 * 10 * 83
    assert found["commands"].keys() == {"one node", "slurm", "ray", "ray sweep"}
    assert "extraction=ray extraction.address=auto" in found["commands"]["ray"]
    assert found["passes"] == 35
    assert all(" ".join(DIGITS) in each for each in found["commands"].values())


def test_more_samples_cost_in_proportion(known, capsys):
    assert run(*DIGITS, "--samples", "400000000", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["embedding_bytes"] == 400_000_000 * 64 * 4
    assert found["memory_bytes"] > 400_000_000 * 64
    assert "hydra.launcher.mem_gb=" in found["commands"]["slurm"]


def test_a_person_reads_the_same(known, capsys):
    assert run(*DIGITS) == 0
    shown = capsys.readouterr().out
    for word in (
        "1,797 samples",
        "embedding",
        "disk",
        "memory",
        "hydra/launcher=scar_slurm",
        "hydra/launcher=scar_ray",
    ):
        assert word in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dataset=image_folder", "dataset.root=nowhere", "encoder=pixels"], "nowhere"),
        ([*DIGITS, "--samples", "0"], "--samples 0 must be at least 1"),
        ([*DIGITS, "probe.nope=1"], "nope"),
    ],
)
def test_what_cannot_be_said_is_an_error(arguments, message, capsys):
    assert run(*arguments, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert message in found["error"]


def test_unit_costs_are_those_of_this_machine(capsys):
    assert run(*DIGITS, "dataset.train_size=300", "dataset.test_size=50", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["units"]["encoders"]["image"]["dimension"] == 64
    assert min(found["units"][each] for each in ("hashed", "written", "trained")) > 1e5
    assert found["embedding_hours"] > 0

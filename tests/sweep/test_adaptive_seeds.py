"""A sweep that adds seeds where a comparison is open: which jobs it runs, and what it leaves."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from scar.config.build import build
from scar.config.nodes import ConfigError
from scar.evaluation.intervals import crossed_interval
from scar.evaluation.sequential import Looks
from scar.reporting.adaptive_seeds import LOOKS, keep_looks, read_looks
from scar.sweep.adaptive_seeds import AdaptiveSweeper

GAINS = {"random": 0.1, "class_average": 0.0, "water_filling": -0.002}
"""Of scar over the others: large, none, and none that the margin would count."""


class Loader:
    """Composes a job as Hydra would, from the overrides that the sweeper gives."""

    def load_sweep_config(self, master, overrides):
        with initialize_config_module("scar.conf", version_base="1.3"):
            return compose("config", overrides)


@pytest.fixture
def sweeper(tmp_path, monkeypatch):
    """A sweeper whose jobs take no time and whose differences are planted."""
    launched, failing = [], set()

    def launch(batch, initial_job_idx):
        launched.append([dict(each.split("=", 1) for each in overrides) for overrides in batch])
        return [None] * len(batch)

    def finished(self, values, end):
        named = dict(value.split("=", 1) for value in values)
        seeds = [seed for seed in range(end) if (named.get("completion"), seed) not in failing]
        config = SimpleNamespace(
            objective="matched_accuracy", completion=SimpleNamespace(name=named.get("completion", "scar")),
            budgets=SimpleNamespace(fractions=(0.1,)),
        )  # fmt: skip
        return [SimpleNamespace(name=named.get("completion"), seed=seed) for seed in seeds], config

    def paired(first, second, arms, metric):
        seeds = sorted({job.seed for job in first} & {job.seed for job in second})
        rng = np.random.default_rng(3)
        scores = GAINS.get(arms[1][0].partition("@")[0], 0.0) + rng.normal(scale=0.02, size=(20, 400))
        return crossed_interval(scores[seeds]), seeds

    monkeypatch.setattr(AdaptiveSweeper, "_finished", finished)
    monkeypatch.setattr(AdaptiveSweeper, "validate_batch_is_legal", lambda self, batch: None)
    monkeypatch.setattr("scar.reporting.adaptive_seeds.paired", paired)
    found = AdaptiveSweeper()
    found._loader = Loader()
    found._settings = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path / "study")}}})
    found._launcher = SimpleNamespace(launch=launch)
    found.launched, found.failing = launched, failing
    return found


def jobs(batch):
    return sorted((each["completion"], int(each["seed"])) for each in batch)


ADAPTIVE = ["seeds=adaptive", "dataset=digits", "seeds.minimum=3", "seeds.batch=2", "seeds.maximum=7"]


def test_only_open_comparisons_get_more_seeds(sweeper):
    sweeper.sweep([*ADAPTIVE, "seeds.margin=0", "completion=scar,random,class_average"])
    first, *others = sweeper.launched
    assert jobs(first) == sorted((name, seed) for name in ("scar", "random", "class_average") for seed in range(3))
    assert [jobs(batch) for batch in others] == [
        sorted((name, seed) for name in ("scar", "class_average") for seed in seeds) for seeds in ((3, 4), (5, 6))
    ]


def test_it_stops_when_all_is_decided(sweeper, tmp_path, capsys):
    sweeper.sweep([*ADAPTIVE, "seeds.margin=0.02", "completion=scar,random,class_average"])
    assert len(sweeper.launched) == 1
    kept = json.loads((tmp_path / "study" / LOOKS).read_text())
    assert [each["verdict"] for each in kept["comparisons"]] == ["better", "equivalent"]
    assert kept["looks"] == [3, 5, 7]
    assert all(each["low"] < each["value"] < each["high"] for each in kept["comparisons"])
    assert "completion=scar against random: better" in " ".join(capsys.readouterr().out.split())


def test_every_cell_has_comparisons_of_its_own(sweeper):
    sweeper.sweep([*ADAPTIVE, "seeds.margin=0.02", "regime=natural,long_tailed", "completion=scar,random"])
    assert {each["regime"] for each in sweeper.launched[0]} == {"natural", "long_tailed"}
    assert len(sweeper.launched[0]) == 2 * 2 * 3


def test_encoders_are_compared_each_with_each(sweeper, tmp_path):
    sweeper.sweep([*ADAPTIVE, "encoder=pixels,pixels_pca,random_network"])
    kept = json.loads((tmp_path / "study" / LOOKS).read_text())
    assert len(kept["comparisons"]) == 3


def test_a_comparison_whose_seeds_failed_has_no_result(sweeper, tmp_path):
    sweeper.failing.add(("random", 1))
    sweeper.sweep([*ADAPTIVE, "seeds.margin=0.02", "completion=scar,random,class_average"])
    kept = json.loads((tmp_path / "study" / LOOKS).read_text())
    assert kept["comparisons"][0]["verdict"] == "stopped: 1 of 3 seeds failed"
    assert "value" not in kept["comparisons"][0]


def test_the_seeds_of_an_experiment_give_way_and_those_of_the_command_are_refused(sweeper, capsys):
    assert AdaptiveSweeper({"seed": "range(10)", "completion": "scar,random"}).params == {"completion": "scar,random"}
    for arguments, said in (
        ([*ADAPTIVE, "completion=scar,random", "seed=0,1"], "seed is given beside seeds=adaptive"),
        ([*ADAPTIVE, "completion=scar"], "nothing to compare: sweep over completion or encoder"),
        ([*ADAPTIVE, "seeds.maximum=2", "completion=scar,random"], "seeds.maximum=2 must be at least seeds.minimum=3"),
    ):
        with pytest.raises(SystemExit) as end:
            sweeper.sweep(arguments)
        assert end.value.code == 2
        assert said in " ".join(capsys.readouterr().err.split())
    assert not sweeper.launched


def test_another_plan_for_the_same_study_is_refused(tmp_path):
    plan = {"minimum": 5, "maximum": 20}
    keep_looks(tmp_path, Looks((5, 20)), plan, [])
    keep_looks(tmp_path, Looks((5, 20)), plan, [])
    with pytest.raises(ValueError, match=r"maximum 20, now 40.*another study=name"):
        keep_looks(tmp_path, Looks((5, 40)), plan | {"maximum": 40}, [])
    assert read_looks(tmp_path) == Looks((5, 20))


@pytest.mark.parametrize("values", ["minimum=1", "batch=0", "maximum=3", "level=1", "margin=-1"])
def test_settings_that_cannot_be_are_refused_by_name(values):
    with initialize_config_module("scar.conf", version_base="1.3"):
        composed = compose("config", ["seeds=adaptive", "dataset=digits", f"seeds.{values}"])
    with pytest.raises(ConfigError, match=rf"seeds\.{values.partition('=')[0]}="):
        build(composed)


def test_how_many_seeds_are_run_is_no_part_of_a_job(tmp_path):
    from scar.config.build import job_digest

    with initialize_config_module("scar.conf", version_base="1.3"):
        assert job_digest(compose("config", ["seeds=adaptive", "dataset=digits"])) == job_digest(
            compose("config", ["dataset=digits"])
        )

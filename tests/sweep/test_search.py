"""The search spaces that Hydra's sweeps stand for."""

import pytest
from hydra import initialize_config_module
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from scar.config.build import build
from scar.config.nodes import ConfigError
from scar.job.run_job import objective
from scar.sweep.optuna_sweeper import OptunaSweeper, distribution


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=choice(x,y)", CategoricalDistribution(["x", "y"])),
        ("a=1,2", CategoricalDistribution(["1", "2"])),
        ("a=range(0,6,2)", CategoricalDistribution(["0", "2", "4"])),
        ("a=int(interval(1,5))", IntDistribution(1, 5)),
        ("a=interval(0.1,0.5)", FloatDistribution(0.1, 0.5)),
        ("a=tag(log,interval(1e-4,1e-1))", FloatDistribution(1e-4, 1e-1, log=True)),
    ],
)
def test_a_sweep_is_a_distribution(line, expected):
    (override,) = OverridesParser.create().parse_overrides([line])
    assert distribution(override) == expected


def test_a_glob_cannot_be_searched():
    (override,) = OverridesParser.create().parse_overrides(["a=glob(*)"])
    with pytest.raises(ValueError, match="cannot be searched"):
        distribution(override)


@pytest.mark.parametrize("values", [{"direction": "up"}, {"n_trials": 0}, {"batch_size": 0}])
def test_settings_that_cannot_be_are_refused(values):
    with pytest.raises(ValueError, match=r"hydra\.sweeper\."):
        OptunaSweeper(**values)


def test_the_objective_is_a_score_of_the_largest_budget_or_of_a_named_arm():
    from hydra import compose

    scores = {"primary/accuracy": 0.1, "scar@0.05/accuracy": 0.2, "scar@0.25/accuracy": 0.3}
    with initialize_config_module("scar.conf", version_base="1.3"):
        base = ["dataset=digits", "budgets.fractions=[0.05,0.25]"]
        assert objective(build(compose("config", [*base, "objective=accuracy"])), scores) == 0.3
        assert objective(build(compose("config", [*base, "objective=scar@0.05/accuracy"])), scores) == 0.2
        assert objective(build(compose("config", [*base, "objective=primary/accuracy"])), scores) == 0.1
        with pytest.raises(ConfigError, match=r"there is no arm 'oracle'; arms are primary, scar@0\.05"):
            objective(build(compose("config", [*base, "objective=oracle/accuracy"])), scores)
        with pytest.raises(ConfigError, match=r"objective='beauty'.*accuracy"):
            build(compose("config", [*base, "objective=beauty"]))

"""A target asks a job what to buy in the next round; the report says it strategy by strategy."""

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_module

import scar
from scar.completion.rounds import RoundsConfig
from scar.config.build import build
from scar.config.job_identity import job_identity
from scar.config.nodes import ConfigError
from scar.job.algorithm import algorithm
from scar.job.measurements import measure_job
from scar.reporting.tables.flags import flag_lines
from scar.reporting.tables.rounds_table import rounds_table
from scar.store.store import Store

LIGHT = ["dataset=digits", "completion=class_average", "foundation.estimators=[heldout]", "subsets=quick"]
LIGHT += ["forecast.compositions=30", "split.primary=0.2", "trainer.threads=1"]


def config(*overrides):
    with initialize_config_module("scar.conf", version_base="1.3"):
        return build(compose("config", [*LIGHT, *overrides]))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Rows of one job whose target is within reach, and of one whose target is reached already."""
    store = Store(tmp_path_factory.mktemp("store"))
    asked = {target: algorithm(config("rounds=default", f"rounds.target={target}"), store) for target in (0.95, 0.5)}
    return {target: (job, measure_job(job, digest=f"job{target}").frame()) for target, job in asked.items()}


def test_a_job_says_how_much_to_buy_now(measured):
    job, rows = measured[0.95]
    step, own = job.next_round.value, rows[rows.stage == "round"]
    assert step.action == "buy"
    bought = own[own.metric == "round_added"].set_index("class_id").value
    assert bought.sum() == own[own.metric == "round_cost"].value.iloc[0] == step.counts.sum() > 0
    assert own[own.metric == "round_chance"].value.iloc[0] == pytest.approx(step.probability)
    assert own[own.metric == "round_chance"].flag.iloc[0] == f"buy: {step.why}"
    now = rows[(rows.metric == "matched_balanced_accuracy") & (rows.subject == "primary")].value.iloc[0]
    assert now < 0.95


def test_a_target_that_is_reached_buys_nothing(measured):
    job, rows = measured[0.5]
    assert job.next_round.value.action == "reached"
    assert not (rows.metric == "round_added").any()


def test_the_report_shows_one_line_per_strategy_and_what_is_bought(measured):
    job, rows = measured[0.95]
    other = rows[rows.stage == "round"].assign(subject="scar", value=lambda f: f.value * 2)
    group = {"dataset": "digits"}
    settings = vars(job.config.rounds)
    table = rounds_table(pd.concat([rows, other]), group=group, seed=0, settings=settings)
    assert table.cells.Planner.tolist() == ["class average", "SCAR"]
    assert table.cells.Now.tolist() == ["buy", "buy"]
    assert "matched balanced accuracy of 95 % within 3 rounds" in table.caption
    assert table.notes[0].startswith("class average: buy; ")
    largest = job.next_round.value.to_buy.idxmax()
    assert f"{largest} +{job.next_round.value.counts.max()}" in table.notes[0]
    assert rounds_table(rows[rows.stage != "round"], group=group, seed=0, settings=settings) is None
    assert not [line for _, line in flag_lines(rows, ["heldout"]) if "buy" in line]


def test_a_target_is_part_of_the_job_and_none_is_no_part_of_it():
    plain, one, other = (
        job_identity(config(*given)).settings
        for given in ((), ("rounds=default", "rounds.target=0.9"), ("rounds=default", "rounds.target=0.8"))
    )
    assert len({plain, one, other}) == 3


def test_earlier_rounds_are_read_from_the_configuration():
    settings = config("rounds=default", "rounds.target=0.9", "rounds.past=[[0.02,0.01,0.03,0.005]]").rounds
    (past,) = settings.past_rounds
    assert (past.gain, past.low, past.high, past.measured) == (0.02, 0.01, 0.03, 0.005)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("rounds=default", "rounds.target=null"), "target"),
        (("rounds=default", "rounds.target=85"), "target=85"),
        (("rounds=default", "rounds.target=0.9", "rounds.past=[[0.02,0.03]]"), r"past: \[0\.02, 0\.03\]"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given, message):
    with pytest.raises(ConfigError, match=message):
        config(*given)


def test_from_arrays_in_one_call():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 12)) * 0.6
    labels = np.repeat(np.arange(3), [100, 60, 30])
    pool = np.repeat(np.arange(3), 150)
    data = {
        "pool_embeddings": centres[pool] + rng.normal(size=(450, 12)),
        "pool_labels": pool,
        "test": (centres[pool] + rng.normal(size=(450, 12)), pool),
    }
    samples = centres[labels] + rng.normal(size=(190, 12))
    step = scar.next_round(samples, labels, 0.999, horizon=2, **data)
    assert step.action in ("stop", "buy")
    assert repr(step) == repr(scar.characterize(samples, labels, **data).next_round(0.999, horizon=2))
    assert RoundsConfig(target=0.5).past_rounds == ()

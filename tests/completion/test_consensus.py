"""A consensus of encoders: the need that enough of them agree on."""

from dataclasses import replace

import numpy as np
import pytest
from states import problem, shuffled

from scar.completion.consensus import ConsensusPlanner, consensus_needs
from scar.completion.planners import ScarPlanner
from scar.config.nodes import ConfigError
from scar.encoders.minilm import MiniLM
from scar.encoders.pixels import Pixels
from scar.encoders.pixels_pca import PixelsPca
from scar.job.algorithm import algorithm
from scar.store.store import Store
from scar.studies.common import compose_config

inf, nan = np.inf, np.nan


@pytest.mark.parametrize(
    ("quorum", "expected"),
    [
        (0.5, [200, 40, inf, 30, nan]),
        (0.75, [100, 0, 70, 10, nan]),
        (1.0, [100, 0, 70, 10, nan]),
        (0.1, [900, 50, inf, 30, nan]),
    ],
)
def test_a_need_is_the_largest_that_enough_encoders_call_necessary(quorum, expected):
    votes = np.array([[100, 0, inf, nan, nan], [200, 50, 70, 10, nan], [900, 40, inf, 30, nan]])
    np.testing.assert_array_equal(consensus_needs(votes, quorum), np.array(expected, float))


def test_one_encoder_that_stands_alone_does_not_decide():
    votes = np.array([[100, 100, 900], [300, 100, 100], [300, 100, 100]], float)
    state = replace(problem([100, 100, 100], [500] * 3, votes[0]), step_sizes=votes[0], votes=votes)
    own = ScarPlanner().allocate(state, 150, shuffled([500] * 3)).counts
    agreed = ConsensusPlanner().allocate(state, 150, shuffled([500] * 3)).counts
    assert own.tolist() == [0, 0, 150]
    assert agreed.tolist() == [150, 0, 0]


def test_what_the_consensus_does_not_ask_for_follows_the_own_need_and_says_so():
    votes = np.array([[100, 400], [150, 100], [150, 100]], float)
    state = replace(problem([100, 100], [500, 500], votes[0]), step_sizes=votes[0], votes=votes)
    result = ConsensusPlanner().allocate(state, 200, shuffled([500, 500]))
    assert result.counts.tolist() == [50, 150]
    assert "beyond_consensus" in result.flags


def test_encoders_that_are_unanimous_plan_as_each_of_them():
    rng = np.random.default_rng(0)
    for _ in range(20):
        counts, reserve = rng.integers(10, 300, 6), rng.integers(0, 200, 6)
        needs = rng.integers(0, 900, 6).astype(float)
        state = problem(counts, reserve, needs)
        state = replace(state, votes=np.stack([state.step_sizes] * 3))
        budget, order = int(min(reserve.sum(), state.wanted.sum()) // 2), shuffled(reserve)
        both = [planner.allocate(state, budget, order).counts for planner in (ScarPlanner(), ConsensusPlanner())]
        np.testing.assert_array_equal(*both)


def test_without_votes_there_is_no_consensus():
    with pytest.raises(ValueError, match="estimates of several encoders"):
        ConsensusPlanner().allocate(problem([10], [10], [20]), 5, shuffled([10]))
    with pytest.raises(ValueError, match=r"completion\.quorum=0"):
        ConsensusPlanner(quorum=0)


def test_only_encoders_of_the_modality_vote_and_the_own_one_once():
    planner = ConsensusPlanner(encoders={"a": Pixels(), "b": PixelsPca(), "c": MiniLM()})
    assert planner.voters(Pixels(), "image") == (PixelsPca(),)
    assert ScarPlanner().voters(Pixels(), "image") == ()


@pytest.fixture
def config(tmp_path):
    overrides = ["dataset=digits", "encoder=pixels", "subsets=quick", "probe=converged", "trainer.threads=1"]
    config = compose_config([*overrides, f"paths.store_dir={tmp_path}"])
    return replace(config, completion=ConsensusPlanner(encoders={"pca": PixelsPca(dimension=8)}))


def test_a_job_asks_the_other_encoders_and_shares_what_they_have_made(config, tmp_path):
    job = algorithm(config, Store(tmp_path))
    assert job.completion.problem.value.votes.shape == (2, 10)
    sibling = algorithm(replace(config, encoder=config.completion.encoders["pca"]), Store(tmp_path))
    np.testing.assert_array_equal(job.split.primary, sibling.split.primary)
    own = algorithm(replace(sibling.config, completion=ScarPlanner()), Store(tmp_path))
    np.testing.assert_array_equal(job.completion.problem.value.votes[1], own.completion.problem.value.step_sizes)
    budgets = [plan.budget for plan in algorithm(replace(config, completion=ScarPlanner()), Store(tmp_path)).plans]
    assert [plan.budget for plan in job.plans] == budgets
    assert job.completion.outlook is not None


def test_the_plan_depends_on_who_votes(config, tmp_path):
    more = replace(config, completion=ConsensusPlanner(encoders={"pca": PixelsPca(dimension=9)}))
    quorum = replace(config, completion=replace(config.completion, quorum=0.9))
    keys = {algorithm(each, Store(tmp_path)).completion.plans.key for each in (config, more, quorum)}
    assert len(keys) == 3


def test_what_cannot_agree_is_refused():
    without = [f"~completion.encoders.{name}" for name in ("efficientnet_lite0", "pixels_pca")]
    with pytest.raises(ConfigError, match="no encoder of image beside pixels"):
        compose_config(["dataset=digits", "encoder=pixels", "completion=consensus", *without])
    with pytest.raises(ConfigError, match="one split for all encoders"):
        compose_config(["completion=consensus", "regime=shift"])
    with pytest.raises(ConfigError, match="labels=given"):
        compose_config(["completion=consensus", "dataset=emoji_pairs", "labels=cross_modal", "modality=image"])

"""What a plan gains over the plans that cost no thought, where these were evaluated on the same split before."""

from __future__ import annotations

from dataclasses import replace

from scar.completion.by_name import PLANNERS
from scar.completion.planner import PairPlanner
from scar.evaluation.label_scores import scores_of
from scar.job.algorithm import algorithm
from scar.job.job import Job

BASELINES = ("random", "class_average")


def gains(job: Job) -> dict[str, float]:
    """Return ``gain@<budget>/over_<baseline>/<score>``, from what the store holds; nothing is trained for it."""
    config, found = job.config, dict[str, float]()
    if isinstance(config.completion, PairPlanner):
        return found
    for name in BASELINES:
        if config.completion.name == name:
            continue
        other = algorithm(replace(config, completion=PLANNERS[name]), job.store)
        for own, base in zip(job.arms, other.arms, strict=True):
            if own.fraction is None or not job.store.has(base.probes.key):
                continue
            for score in scores_of(own.scores.value):
                difference = getattr(own.scores.value, score) - getattr(base.scores.value, score)
                found[f"gain@{own.fraction:g}/over_{name}/{score}"] = difference
    return found

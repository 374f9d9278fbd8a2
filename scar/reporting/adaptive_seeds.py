"""What a sweep that chooses its own number of seeds has looked at, kept beside its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scar.common.files import read_json, write_json
from scar.evaluation.intervals import LEAST_SEEDS, MeanEstimate, crossed_interval
from scar.evaluation.scores import raw_and_decision
from scar.evaluation.sequential import ONE_LOOK, Looks
from scar.reporting.group_scores import Arm, item_matrix
from scar.reporting.study_job import Outcomes, StudyJob

LOOKS = "adaptive_seeds.json"
"""In the folder of a study: the looks that were planned, and what each comparison came to."""


def read_looks(folder: Path) -> Looks:
    """Return the looks that the sweep of a study has planned; a single one where its number of seeds was fixed."""
    path = folder / LOOKS
    return Looks(tuple(read_json(path)["looks"])) if path.exists() else ONE_LOOK


def keep_looks(folder: Path, looks: Looks, plan: dict[str, Any], comparisons: Sequence[dict[str, Any]]) -> None:
    """Write what was planned and found.

    Raises:
        ValueError: the study was begun under another plan; intervals of one would not hold for the other.
    """
    path = folder / LOOKS
    if path.exists() and (before := read_json(path)["plan"]) != plan:
        changed = ", ".join(
            f"{key} {before.get(key)!r}, now {plan.get(key)!r}" for key in plan if before.get(key) != plan[key]
        )
        raise ValueError(
            f"study={folder.name} was begun with other settings of `seeds` ({changed}): the levels of its intervals were "
            "fixed before the first look; keep the settings, or give the sweep another study=name (the store is shared)"
        )
    write_json(path, {"plan": plan, "looks": list(looks.seeds), "comparisons": list(comparisons)})


def paired(
    first: Sequence[StudyJob], second: Sequence[StudyJob], arms: tuple[Arm, Arm], metric: str
) -> tuple[MeanEstimate, list[int]] | None:
    """Return the first arm minus the second, over the seeds that both have, and these seeds; None without one.

    Raises:
        ValueError: the arms were scored on different test items.
    """
    outcomes = Outcomes.read(first), Outcomes.read(second)
    if not len(outcomes[0].labels) or not len(outcomes[1].labels):
        return None
    if outcomes[0].labels.tolist() != outcomes[1].labels.tolist():
        raise ValueError(f"{first[0].folder} and {second[0].folder} were scored on different test items")
    score, decision = raw_and_decision(metric)
    known = [set(each.seeds(*arm, decision)) for each, arm in zip(outcomes, arms, strict=True)]
    seeds = sorted(known[0] & known[1])
    if not seeds:
        return None
    a, b = (item_matrix(each, arm, metric, seeds) for each, arm in zip(outcomes, arms, strict=True))
    return crossed_interval(a - b, least_seeds=LEAST_SEEDS.get(score, 2)), seeds

"""What other budgets and planners would bring: the steps that the page lets one choose from, and the same as a table."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from scar.completion.forecast import REFUSALS
from scar.job.metrics import Metric
from scar.job.rows import MIX_STAGE
from scar.reporting.axes import as_texts
from scar.reporting.formats.table import Table
from scar.reporting.group_scores import strategy_order
from scar.reporting.study_folder import Study
from scar.reporting.text import count, group_label, known, name_of, points, points_interval, script_json, share

SOURCES = {"plan": "the reserve", "collect": "anywhere, beyond all there is", MIX_STAGE: "the reserve"}
"""Stage → where the samples come from."""
TOWARDS = "towards a target mix"
"""Stands for the planner where classes are raised to sizes in proportion to a power of the deployment mix."""
GAINS = {"balanced": Metric.EXPECTED_MATCHED_BALANCED_GAIN, "accuracy": Metric.EXPECTED_MATCHED_GAIN}
"""What is forecast of a step: gains, for the level of a forecast rests on the held-out part and not on the test part."""
MIXES = {0.0: "equal classes", 1.0: "the mix of use"}
"""τ → target mix."""
COLUMNS = ("stage", "subject", "fraction", "metric", "class_id", "class_name", "value", "low", "high", "flag")
"""Of the rows, what a step is made of."""
CLASSES = 20
"""Classes of a plan that are named; the rest is counted."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One planner at one budget, as it is shown; every number is a text but those that a price multiplies.

    Attributes:
        source: of `SOURCES`.
        planner: its title, or `TOWARDS`.
        mix: the target mix, in words; empty where a planner has its own.
        budget: share, in words.
        fraction: the same as a number.
        samples: that are added, in words.
        added: the same as a number.
        cost: in the unit of the budgets.
        balanced, accuracy: gain over now with its 90 % interval, or why it is not forecast.
        classes: (name, samples) of the plan, largest first, at most `CLASSES`.
        others: classes beyond these, in words.
        command: that runs it, as a study of its own.
    """

    source: str
    planner: str
    mix: str
    budget: str
    fraction: float
    samples: str
    added: float
    cost: float
    balanced: str
    accuracy: str
    classes: list[tuple[str, int]]
    others: str
    command: str


def whatif_steps(study: Study, group: Mapping[str, Any], *, seed: int) -> list[Step]:
    """Return the plans of one seed of one group that a forecast was asked for; none where nobody asked.

    Args:
        study: that the group belongs to.
        group: values of the axes.
        seed: which seed.
    """
    rows = study.of(group)
    metrics = [Metric.WHAT_IF_ADDED, Metric.WHAT_IF_COST, *GAINS.values()]
    own = rows[(rows.seed == seed) & rows.stage.isin(list(SOURCES)) & rows.metric.isin(metrics) & rows.fraction.notna()]
    found: dict[tuple[str, str], dict[float, dict[str, list[Any]]]] = {}
    for row in as_texts(own[[*COLUMNS]]).itertuples(index=False):
        budgets = found.setdefault((row.stage, row.subject), {})
        budgets.setdefault(row.fraction, {}).setdefault(row.metric, []).append(row)
    steps = []
    for source in SOURCES:
        for planner in sorted((name for stage, name in found if stage == source), key=strategy_order):
            overrides = _overrides(study, group, seed, planner, towards=source == MIX_STAGE)
            for fraction, at in sorted(found[source, planner].items()):
                if Metric.WHAT_IF_ADDED in at:
                    steps.append(_step(source, planner, fraction, at, overrides))
    return steps


def _step(
    source: str, planner: str, fraction: float, at: Mapping[str, Sequence[Any]], overrides: Sequence[str]
) -> Step:
    """Return a step from its rows by metric; plain ones, for there are hundreds of steps of a few rows each."""
    largest = sorted(at[Metric.WHAT_IF_ADDED], key=lambda row: (-row.value, row.class_id))
    added, cost = sum(row.value for row in largest), at[Metric.WHAT_IF_COST][0].value
    rest = largest[CLASSES:]
    tau = float(planner.partition("=")[2]) if source == MIX_STAGE else None
    changed = f"budgets.collect={cost:g}" if source == "collect" else f"budgets.fractions=[{fraction:g}]"
    ours = {"study", changed.partition("=")[0]}
    kept = [each for each in overrides if each.partition("=")[0] not in ours]
    return Step(
        source=SOURCES[source],
        planner=name_of(planner) if tau is None else TOWARDS,
        mix="" if tau is None else MIXES.get(tau, f"between, τ = {tau:g}"),
        budget=f"{share(fraction)} of {'what there is' if source == 'collect' else 'the reserve'}",
        fraction=fraction,
        samples=count(added),
        added=added,
        cost=cost,
        **{name: _expected(at.get(metric, [])) for name, metric in GAINS.items()},
        classes=[(row.class_name, int(row.value)) for row in largest[:CLASSES]],
        others=f"and {count(sum(row.value for row in rest))} of {len(rest)} more classes" if rest else "",
        command=" ".join(["scar", *map(shlex.quote, [*kept, changed, "study=what_if"])]),
    )


def _expected(gains: Sequence[Any]) -> str:
    """``"+0.69 points [−0.93, +2.32]"``, or why not."""
    if not gains or not known(gains[0].value):
        flag = gains[0].flag.rpartition("refused_")[2] if gains else ""
        return f"not forecast: {REFUSALS.get(flag, 'the score is not among forecast.scores')}"
    return f"{points(gains[0].value)} points {points_interval(gains[0].low, gains[0].high)}"


def _overrides(study: Study, group: Mapping[str, Any], seed: int, planner: str, *, towards: bool) -> list[str]:
    """What the job of this seed and planner was called with; of a target mix, any job of the seed, with that mix."""
    jobs = [job for job in study.finished(group) if job.columns["seed"] == seed]
    job = next((job for job in jobs if towards or job.columns["completion"] == planner), None)
    said = [f"seed={seed}"] if job is None else [str(each) for each in job.status.get("overrides", [])]
    if not towards:
        return said if job is not None else [*said, f"completion={planner}"]
    return [
        *(each for each in said if each.partition("=")[0].partition(".")[0] != "completion"),
        "completion=tempered",
        f"completion.tau={planner.partition('=')[2]}",
    ]


def whatif_table(steps: Sequence[Step], *, group: Mapping[str, Any], seed: int) -> Table:
    """Return the steps as a table, one row each."""
    cells = [
        {
            "Planner": f"{step.planner}: {step.mix}" if step.mix else step.planner,
            "From": step.source,
            "Budget": step.budget,
            "Samples": step.samples,
            "Cost": count(step.cost),
            "Gain, balanced accuracy": step.balanced,
            "Gain, accuracy": step.accuracy,
        }
        for step in steps
    ]
    return Table(
        name="what_if",
        caption=f"What if: {group_label(group)}, seed {seed}",
        cells=pd.DataFrame(cells),
        values=pd.DataFrame([asdict(step) for step in steps]).drop(columns=["classes", "command"]),
        sort_by={"Samples": "added", "Cost": "cost"},
        notes=("Forecasts of matched decisions with 90 % intervals; gains over the primary set, in points.",),
    )


def whatif_json(steps: Sequence[Step]) -> str:
    """Return the steps as JSON that may stand in a script of a page."""
    return script_json([asdict(step) for step in steps])

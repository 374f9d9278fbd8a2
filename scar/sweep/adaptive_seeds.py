"""``seeds=adaptive``: a sweep that adds seeds only where a comparison is still open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from scar.common.console import announce, console, escape, refuse
from scar.config.build import build
from scar.config.nodes import ConfigError
from scar.config.schema import Config
from scar.evaluation.intervals import MeanEstimate, at_level
from scar.evaluation.sequential import Looks, verdict
from scar.job.rows import named_arm
from scar.sweep.overrides import divided_overrides
from scar.sweep.units import job_folder

if TYPE_CHECKING:
    from scar.reporting.study_job import StudyJob

COMPARED = ("completion", "encoder")
"""What jobs of a sweep may be compared by, the first that it varies."""
OPEN = "open"
Finished = Callable[[tuple[str, ...]], tuple[list["StudyJob"], Config]]
"""Overrides of a cell and a compared value → the jobs with them that have finished, and their configuration."""


@dataclass
class _Comparison:
    """Two values of the compared key, in one cell of the sweep."""

    cell: tuple[str, ...]
    first: str
    second: str
    verdict: str = OPEN
    estimate: MeanEstimate | None = None
    seeds: list[int] = field(default_factory=list)


class AdaptiveSweeper(Sweeper):
    """Runs a sweep in batches of seeds, each only where a comparison is still open.

    The sweep varies ``completion`` or ``encoder``, and any other key. Strategies: the first that is listed is compared
    with each of the others; encoders: each with each. The score is that of ``objective``. A comparison ends as soon as its
    interval lies on one side of 0, or within ± ``seeds.margin``, at the level of `scar.evaluation.sequential.Looks`, so
    that over all the looks a comparison ends wrongly at most as often as ``1 − seeds.level`` says.

    Args:
        params: what is swept over, by key, besides what the command line says; ``seed`` among them is left out.
    """

    def __init__(self, params: Mapping[str, str] | None = None) -> None:
        self.params = {key: value for key, value in (params or {}).items() if key != "seed"}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives."""
        self.hydra_context, self.config = hydra_context, config
        self._loader, self._settings = hydra_context.config_loader, config
        self.launcher = self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list[Any]:
        """Run the looks; returns what the launcher returned for each job."""
        try:
            comparisons, looks = self._begin(arguments)
        except ValueError as error:
            refuse(error)
        returns: list[Any] = []
        for place, end in enumerate(looks.seeds):
            begin = looks.seeds[place - 1] if place else 0
            batch = list(self._jobs(comparisons, range(begin, end)))
            self.validate_batch_is_legal(batch)
            returns += self._launcher.launch(batch, initial_job_idx=len(returns))
            finished = cache(partial(self._finished, end=end))
            for each in comparisons:
                if each.verdict == OPEN:
                    self._look(each, end, looks, finished)
            self._keep(comparisons, looks)
            still = sum(each.verdict == OPEN for each in comparisons)
            console().print(f"{end} seeds: {still} of {len(comparisons)} comparisons open")
            if not still:
                break
        self._tell(comparisons, looks)
        return returns

    def _begin(self, arguments: Sequence[str]) -> tuple[list[_Comparison], Looks]:
        """Divide what is swept over into comparisons, and fix the looks before the first."""
        self._fixed, swept = divided_overrides(self._loader, self.params, arguments)
        if "seed" in swept or "seed" in self._fixed:
            raise ConfigError("seed is given beside seeds=adaptive, which chooses the seeds: leave one of them out")
        self._values = {
            key: [f"{key}={value}" for value in each.sweep_string_iterator()] for key, each in swept.items()
        }
        self._key = next((key for key in COMPARED if len(self._values.get(key, ())) > 1), None)
        if self._key is None:
            raise ConfigError(
                f"seeds=adaptive has nothing to compare: sweep over {' or '.join(COMPARED)}, e.g. completion=scar,random"
            )
        first = build(self._composed((*self._cells()[0], self._values[self._key][0]), 0))
        assert first.seeds is not None
        self._plan_of_seeds, looks = first.seeds, first.seeds.looks
        comparisons = [_Comparison(cell, *pair) for cell in self._cells() for pair in self._pairs()]
        self._keep(comparisons, looks)
        return comparisons, looks

    def _cells(self) -> list[tuple[str, ...]]:
        """Return the overrides of each cell: all that is swept over but the compared key."""
        return list(product(*(values for key, values in self._values.items() if key != self._key)))

    def _pairs(self) -> list[tuple[str, str]]:
        assert self._key is not None
        values = self._values[self._key]
        return list(combinations(values, 2)) if self._key == "encoder" else [(values[0], each) for each in values[1:]]

    def _jobs(self, comparisons: Sequence[_Comparison], seeds: range) -> Iterator[list[str]]:
        """Yield the overrides of the jobs that open comparisons need, seed by seed."""
        needed = dict.fromkeys(
            (*each.cell, value) for each in comparisons if each.verdict == OPEN for value in (each.first, each.second)
        )
        for seed in seeds:
            for values in needed:
                yield [*self._fixed.values(), *values, f"seed={seed}"]

    def _composed(self, values: Sequence[str], seed: int) -> DictConfig:
        overrides = [*self._fixed.values(), *values, f"seed={seed}"]
        return self._loader.load_sweep_config(self._settings, overrides)

    def _look(self, comparison: _Comparison, end: int, looks: Looks, finished: Finished) -> None:
        """Say what a comparison shows; one with seeds that failed has ended, with another verdict than a result."""
        from scar.reporting.adaptive_seeds import paired  # imports pandas, which other sweeps may do without

        jobs = [finished((*comparison.cell, value)) for value in (comparison.first, comparison.second)]
        found = None
        if all(own for own, _ in jobs):
            (first, one), (second, other) = jobs
            (arm, metric), (against, _) = named_arm(one), named_arm(other)
            found = paired(first, second, ((arm, None), (against, None)), metric)
        if found is None or len(found[1]) < end:
            comparison.verdict = f"stopped: {end - len(found[1] if found else ())} of {end} seeds failed"
            return
        comparison.estimate, comparison.seeds = found
        settings = self._plan_of_seeds
        comparison.verdict = verdict(found[0], looks, margin=settings.margin, level=settings.level)

    def _finished(self, values: Sequence[str], end: int) -> tuple[list[StudyJob], Config]:
        """Return the jobs with some values that have finished, of all seeds below `end`, and what they were told."""
        from scar.reporting.study_job import read_job

        composed = [self._composed(values, seed) for seed in range(end)]
        jobs = [read_job(job_folder(each))[0] for each in composed]
        return [job for job in jobs if job.done], build(composed[0])

    def _keep(self, comparisons: Sequence[_Comparison], looks: Looks) -> None:
        from scar.reporting.adaptive_seeds import keep_looks

        folder = Path(str(self._settings.hydra.sweep.dir))
        folder.mkdir(parents=True, exist_ok=True)
        keep_looks(folder, looks, asdict(self._plan_of_seeds), [self._row(each, looks) for each in comparisons])

    def _row(self, comparison: _Comparison, looks: Looks) -> dict[str, Any]:
        row: dict[str, Any] = {
            "cell": list(comparison.cell), "first": comparison.first, "second": comparison.second,
            "verdict": comparison.verdict, "seeds": len(comparison.seeds),
        }  # fmt: skip
        if comparison.estimate is not None:
            wide = at_level(comparison.estimate, looks.single_level(self._plan_of_seeds.level))
            row |= {"value": wide.value, "low": wide.low, "high": wide.high}
        return row

    def _tell(self, comparisons: Sequence[_Comparison], looks: Looks) -> None:
        rows = [self._row(each, looks) for each in comparisons]
        for row in rows:
            where = " ".join([*row["cell"], f"{row['first']} against {row['second'].partition('=')[2]}:"])
            what = row["verdict"] if row["verdict"] != OPEN else f"open after {row['seeds']} seeds"
            if "value" in row:
                interval = " to ".join(f"{100 * row[name]:+.2f}" for name in ("low", "high"))
                what += f", {100 * row['value']:+.2f} points ({interval}; {row['seeds']} seeds)"
            console().print(escape(f"{where} {what}"))
        announce("seeds", looks=list(looks.seeds), comparisons=rows)

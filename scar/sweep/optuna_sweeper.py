"""``hydra/sweeper=scar_optuna``: the next jobs are chosen by what the jobs before them came to.

Hydra's own Optuna plugin requires optuna 2.10; this one asks a current Optuna and tells it what it learned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from scar.common.console import console, escape, refuse
from scar.sweep.overrides import divided_overrides

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

DIRECTIONS = ("maximize", "minimize")


class OptunaSweeper(Sweeper):
    """Searches for the overrides whose job has the best ``objective``.

    What is swept over is searched: ``choice(…)`` or ``a,b`` and ``range(…)`` as values without an order,
    ``interval(…)`` and ``tag(log, interval(…))`` as numbers, ``int(interval(…))`` as whole ones. Repeating a search
    reuses the jobs that it asks for again: with a seed, or with a storage, all of them.

    Args:
        n_trials: jobs in all.
        batch_size: jobs that are chosen, and launched, at once.
        direction: ``"maximize"`` or ``"minimize"``.
        seed: of the sampler; None draws anew.
        storage: URL of Optuna, for a search that several commands share; None keeps it in memory.
        params: what is searched, by key, besides what the command line sweeps over.
    """

    def __init__(
        self,
        n_trials: int = 20,
        batch_size: int = 4,
        direction: str = "maximize",
        seed: int | None = 0,
        storage: str | None = None,
        params: Mapping[str, str] | None = None,
    ) -> None:
        if direction not in DIRECTIONS:
            raise ValueError(f"hydra.sweeper.direction={direction!r} is unknown; use one of {', '.join(DIRECTIONS)}")
        for name, value in (("n_trials", n_trials), ("batch_size", batch_size)):
            if value < 1:
                raise ValueError(f"hydra.sweeper.{name}={value} must be at least 1")
        self.n_trials, self.batch_size, self.direction = n_trials, batch_size, direction
        self.seed, self.storage, self.params = seed, storage, dict(params or {})

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra gives."""
        self.hydra_context, self.config = hydra_context, config
        self._loader, self._settings = hydra_context.config_loader, config
        self.launcher = self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> dict[str, Any] | None:
        """Run the search; returns the overrides of the best job, None if all failed."""
        import optuna

        try:
            fixed, space = self._divide(arguments)
        except ValueError as error:
            refuse(error)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            study_name=str(self._settings.study),
            storage=self.storage,
            sampler=optuna.samplers.TPESampler(seed=self.seed),
            direction=optuna.study.StudyDirection[self.direction.upper()],
            load_if_exists=True,
        )
        done = len(study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)))
        while done < self.n_trials:
            trials = [study.ask(dict(space)) for _ in range(min(self.batch_size, self.n_trials - done))]
            for trial, value in zip(trials, self._run(trials, fixed, first=done), strict=True):
                failed = not isinstance(value, int | float) or not math.isfinite(value)
                study.tell(trial, None if failed else value, state=optuna.trial.TrialState.FAIL if failed else None)
            done += len(trials)
        finished = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
        if not finished:
            return None
        found = " ".join(f"{key}={value}" for key, value in study.best_params.items())
        console().print(f"best {escape(self._settings.objective)} {study.best_value:.6g} with {escape(found)}")
        return dict(study.best_params)

    def _run(self, trials: Sequence[Trial], fixed: Sequence[str], *, first: int) -> list[Any]:
        batch = [[*fixed, *(f"{key}={value}" for key, value in trial.params.items())] for trial in trials]
        self.validate_batch_is_legal(batch)
        return [each.return_value for each in self._launcher.launch(batch, initial_job_idx=first)]

    def _divide(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, BaseDistribution]]:
        """Return the overrides that every job has, and the distributions of the others."""
        fixed, swept = divided_overrides(self._loader, self.params, arguments)
        if not swept:
            raise ValueError(
                "nothing is searched: sweep over a key, e.g. 'probe.learning_rate=tag(log,interval(1e-4,1e-1))'"
            )
        return list(fixed.values()), {key: distribution(override) for key, override in swept.items()}


def distribution(override: Override) -> BaseDistribution:
    """Return the distribution of what an override sweeps over.

    Raises:
        ValueError: it is a sweep of another kind.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = override.value()
    if isinstance(value, ChoiceSweep | RangeSweep):
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    if isinstance(value, IntervalSweep) and value.start is not None and value.end is not None:
        log = "log" in value.tags
        if isinstance(value.start, int) and isinstance(value.end, int):
            return IntDistribution(value.start, value.end, log=log)
        return FloatDistribution(value.start, value.end, log=log)
    raise ValueError(f"{override.input_line} cannot be searched; use choice(…), range(…) or interval(…)")

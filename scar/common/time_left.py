"""The stages that a job still has to run, and how long they are expected to take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


class Stages:
    """The stages of a job: what is left of them, and how long that is expected to take.

    Args:
        title: of the job.
        costs: artefacts that are missing, and seconds that one of them is expected to take, by stage; NaN if unknown.
        clock: seconds of a clock that never goes back.
    """

    def __init__(
        self, title: str, costs: Mapping[str, tuple[int, float]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.title = title
        self.left = {stage: count for stage, (count, _) in costs.items()}
        self.each = {stage: seconds for stage, (_, seconds) in costs.items()}
        self.count = sum(self.left.values())
        self._clock = clock
        self._open: list[_Running] = []

    @property
    def stage(self) -> str:
        """The innermost stage in work, empty between stages."""
        return self._open[-1].stage if self._open else ""

    def begin(self, stage: str) -> None:
        """Start a stage; the one around it waits."""
        if self._open:
            self._open[-1].pause(self._clock())
        self._open.append(_Running(stage, resumed=self._clock()))

    def end(self, artefacts: int) -> None:
        """End the innermost stage, which has made some artefacts."""
        stage = self._open.pop().stage
        self.left[stage] = max(self.left.get(stage, 0) - artefacts, 0)
        if self._open:
            self._open[-1].resumed = self._clock()

    def done(self) -> int:
        """Artefacts made."""
        return self.count - sum(self.left.values())

    def remaining(self) -> float:
        """Seconds that are expected to be left; NaN while a missing stage has no record to expect them from."""
        total = sum(count * self.each[stage] for stage, count in self.left.items() if count)
        if self._open:
            self._open[-1].pause(self._clock())
            self._open[-1].resumed = self._clock()
        for running in self._open:
            if self.left.get(running.stage):
                total -= min(running.own, self.each[running.stage])
        return max(total, 0.0) if total == total else total


@dataclass
class _Running:
    """A stage in work, and the seconds spent on it without the stages inside it."""

    stage: str
    resumed: float
    own: float = 0.0

    def pause(self, now: float) -> None:
        self.own += now - self.resumed

"""Interleaved timing: every repetition runs every case once, so that drift of the machine meets all alike."""

import math
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Timing:
    """Seconds of each repetition of one case."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def least(self) -> float:
        return min(self.seconds)


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure, the bar it is held against, and what was timed."""

    what: str
    value: float
    bar: float | None
    unit: str = "×"
    at_least: bool = True
    note: str = ""

    @property
    def measured(self) -> str:
        if math.isnan(self.value):
            return "not run"
        return f"{self.value:,.0f} {self.unit}" if self.value >= 100 else f"{self.value:.3g} {self.unit}"

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return ""
        return "pass" if (self.value >= self.bar) == self.at_least or self.value == self.bar else "MISS"

    @property
    def goal(self) -> str:
        return "" if self.bar is None else f"{'≥' if self.at_least else '≤'} {self.bar:g} {self.unit}"


RECORD: list[dict[str, object]] = []
# Every timing of this run, for the CSV.


def interleave(suite: str, cases: dict[str, Callable[[], object]], repetitions: int) -> dict[str, Timing]:
    """Time the cases in turn, after one untimed round of the first."""
    timings = {name: Timing() for name in cases}
    next(iter(cases.values()))()
    for repetition in range(repetitions):
        for name, case in cases.items():
            start = time.perf_counter()
            case()
            seconds = time.perf_counter() - start
            timings[name].seconds.append(seconds)
            RECORD.append(
                {
                    "suite": suite,
                    "case": name,
                    "repetition": repetition,
                    "seconds": seconds,
                    "load_average": os.getloadavg()[0],
                }
            )
    return timings


def least_seconds(case: Callable[[], object], *, calls: int = 30) -> float:
    """The shortest of several calls: what the hardware can do."""
    case()
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        case()
        times.append(time.perf_counter() - start)
    return min(times)

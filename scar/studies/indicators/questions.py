"""The paired differences that the indicator study asks for, fixed before any result is seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scar.studies.indicators.cells import OTHER, OWN, SYNTHETIC
from scar.studies.indicators.indicator_settings import IndicatorStudy

FINDINGS = (
    "H against V",
    "H against nothing added",
    "skew against balance",
    "tail against balance",
    "tail against skew",
)
"""Topics that the two findings of the paper rest on."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A paired difference `first` minus `second` that the study asks for."""

    topic: str
    first: str
    second: str


def questions(study: IndicatorStudy) -> Iterator[Question]:
    """Yield every difference that is asked for; all but those marked are between equal budgets."""
    for size in study.base_sizes:
        base = f"base {size}"
        for multiple in study.multiples:
            vertical = f"{base}, V x{multiple}"
            for source in (OWN, OTHER, SYNTHETIC):
                added = f"{base}, H x{multiple}, {source}"
                yield Question(topic="H against V", first=added, second=vertical)
                yield Question(topic="H against nothing added", first=added, second=base)
            for source in (OTHER, SYNTHETIC):
                first, second = (f"{base}, H x{multiple}, {s}" for s in (source, OWN))
                yield Question(topic="source of H", first=first, second=second)
            yield Question(topic="V against nothing added", first=vertical, second=base)
    even, small = f"balanced {study.budget}", study.tail_sizes[-1]
    head, tail = f"head over {min(study.floors)}", f"40% at {small}"
    yield Question(topic="skew against balance", first=head, second=even)
    for size in study.tail_sizes:
        yield Question(topic="tail against balance", first=f"40% at {size}", second=even)
        yield Question(topic="tail against skew", first=f"40% at {size}", second=head)
    yield Question(topic="skew added to a tail", first=f"head, {tail}", second=tail)
    natural = f"zipf {study.exponents[-1]:g}"
    for cap in study.caps:
        yield Question(topic="head truncated", first=f"zipf cut at {cap}", second=natural)
    steep = f"exponential {study.ratios[-1]:g}"
    for minimum in study.raises:
        yield Question(topic="tail raised", first=f"raised to {minimum}", second=steep)
    most = f"raised to {study.raises[-1]}"
    yield Question(topic="tail raised, smallest spared", first=f"{most}, smallest spared", second=steep)
    floor, first_ratio = f"balanced {min(study.floors)}", study.ratios_of_blend[0]
    for size in study.heads:
        yield Question(topic="head grown", first=f"head {size}", second=floor)
    for ratio in study.ratios_of_blend[1:]:
        yield Question(topic="blend", first=f"blend {ratio:.0%}", second=f"blend {first_ratio:.0%}")


def needed_for_findings(study: IndicatorStudy) -> set[str]:
    """Names of the derived datasets on which the two findings of the paper are tried; an MLP is trained on these."""
    asked = [question for question in questions(study) if question.topic in FINDINGS]
    return {name for question in asked for name in (question.first, question.second)}

"""What a reader should know where a copy is not the release that its name stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scar.data.samples import TEST, TRAIN


def deviations(
    found: Mapping[str, int], release: Mapping[str, int], unit: str, others: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return one note that names everything in which a copy deviates from the release, or none.

    Args:
        found: part → samples of the copy.
        release: part → samples of the release.
        unit: what the samples are called.
        others: deviations that are no counts.
    """
    called = {TRAIN: "training", TEST: "test"}
    counts = [f"{n} {called[part]} {unit}, not {release[part]}" for part, n in found.items() if n != release[part]]
    said = [*counts, *others]
    return (f"the copy deviates from the release: {', '.join(said)}",) if said else ()

"""What embeddings have cost: rows that went through the encoder, rows that were taken over, seconds, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scar.common.files import CorruptArtefactError, checksum, read_json, write_json

COST = "cost.json"
"""File of finished embeddings; while they are made, each shard has one of its own."""


def note_cost(shard: Path, cost: Mapping[str, Any]) -> None:
    """Write beside a shard what it has cost, and its checksum: with both it is whole."""
    write_json(shard.with_suffix(f".{COST}"), {**cost, "sha256": checksum(shard)})


def is_whole(shard: Path) -> bool:
    """Tell whether a shard is there as it was written; it is copied into an artefact, which gives it a new checksum."""
    try:
        noted = read_json(shard.with_suffix(f".{COST}"))
        return bool(noted["sha256"] == checksum(shard))
    except (OSError, KeyError, CorruptArtefactError):
        return False


def sum_costs(folder: Path) -> None:
    """Replace what the shards of a folder have cost by their sum."""
    files = sorted(folder.glob(f"shard-*.{COST}"))
    costs = [read_json(file) for file in files]
    total = {name: sum(each.get(name, 0) for each in costs) for name in ("embedded", "reused", "seconds")}
    known = [each["parameters"] for each in costs if each.get("parameters") is not None]
    write_json(folder / COST, {**total, "parameters": known[0] if known else None})
    for file in files:
        file.unlink()


def read_cost(folder: Path) -> dict[str, Any]:
    """Return what embeddings cost: rows ``embedded`` and ``reused``, ``seconds`` in the encoder, ``parameters`` or None."""
    cost: dict[str, Any] = read_json(folder / COST)
    return cost

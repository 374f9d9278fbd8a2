"""What embeddings have cost: rows that went through the encoder, rows that were taken over, seconds, parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scar.files import read_json, write_json

COST = "cost.json"
"""File of finished embeddings; while they are made, each shard has one of its own."""


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

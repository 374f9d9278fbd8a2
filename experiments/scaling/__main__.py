"""Unit costs of this machine, and what they mean for large datasets: ``python -m experiments.scaling``."""

from __future__ import annotations

import os
from dataclasses import dataclass

from scar.job.costs import EncoderCost, estimate, unit_costs
from scar.probes.settings import ProbeConfig
from scar.sampling.subsets import SubsetsConfig

DIMENSION = 768
PLANS = (SubsetsConfig(name="paper"), SubsetsConfig(name="quick", factors=(1, 2, 4, 8), max_parts=3))
LITE0 = 1 / 9.4
# Seconds of a core for an image through EfficientNet-Lite0 at 224 px.


@dataclass(frozen=True)
class Size:
    """A dataset."""

    name: str
    samples: int
    classes: int


SIZES = (
    Size("ImageNet-1k", 1_281_167, 1000),
    Size("ImageNet-21k", 14_197_122, 21_841),
    Size("LAION-400M", 400_000_000, 1000),
)


def main() -> None:
    """Print the unit costs and, for each size, what follows from them for one encoder and one seed."""
    costs = unit_costs()
    print(f"load average {os.getloadavg()[0]:.1f}; one core")
    print(f"hashed {costs.hashed / 1e6:,.0f} MB/s, written {costs.written / 1e6:,.0f} MB/s")
    print(f"trained {costs.trained / 1e9:.2f} G sample·dimension·class/s (one probe, one core)")
    for size in SIZES:
        print(f"{size.name}: {size.samples:,} samples, {size.classes:,} classes")
        for place, plan in enumerate(PLANS):
            encoder = EncoderCost(LITE0, DIMENSION)
            found = estimate(costs, [encoder], plan, ProbeConfig.linear(), samples=size.samples, classes=size.classes)
            if not place:
                print(f"  embeddings {found.embedding_bytes / 1e9:,.1f} GB in {found.shards:,} shards, hashed in")
                print(f"  {60 * found.hashing_hours:.1f} min, written in {60 * found.written_hours:.1f} min")
                print(f"  embedding {found.embedding_hours:,.0f} core hours")
                print(f"  weights of {found.probes} probes {found.probe_bytes / 1e9:.2f} GB")
            print(
                f"  subsets={plan.name}: {found.probes} probes, {found.passes} epochs: {found.training_hours:,.0f} core hours"
            )


if __name__ == "__main__":
    main()

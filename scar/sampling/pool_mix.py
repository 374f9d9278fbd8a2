"""The class mix of the pool: what a collector can get, of which class how much.

A regime changes what one has, not what the world offers. What it takes from the primary set is therefore not simply
handed back with the reserve, where a random addition would repair the mix by itself. The unused training samples of
the source (neither validation, held-out nor primary) are the stock from which the reserve is drawn, as large as the
mix allows:

- ``same``: the mix of the primary set under the regime. Whoever collects as before gets more of the same.
- ``natural``: the mix of the whole training data of the source.
- ``balanced``: the same number of every class.
- ``complement``: all unused samples, and so above all what the regime has taken away. Random additions repair the mix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import generator
from scar.common.types import Ints
from scar.data.stratify import draw_groups, within_class_rank
from scar.sampling.regimes.regime import Regime
from scar.sampling.splits import Split

SAME, NATURAL, BALANCED, COMPLEMENT = "same", "natural", "balanced", "complement"
MIXES = (SAME, NATURAL, BALANCED, COMPLEMENT)


def check_mix(mix: str, regime: Regime) -> None:
    """Refuse a mix that a regime leaves no pool for, or no meaning.

    Raises:
        ValueError: naming the mix, the regime and the way out.
    """
    if mix in regime.refused_mixes:
        raise ValueError(f"pool.mix={mix} with regime={regime.name}: {regime.refused_mixes[mix]}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Stock:
    """The unused training samples of a source, from which a pool of any mix can be drawn.

    Attributes:
        split: under the regime; its reserve holds all unused training samples.
        regime: that the split is under.
        training: [K] samples of each class in the training data of the source.
        names: [K] of the classes.
        seed: of the job.
        groups: [N] group of every row; a pool takes whole groups then, in random order, each if it
            brings the class sizes nearer to those of the mix.
    """

    split: Split
    regime: Regime
    training: Ints
    names: tuple[str, ...]
    seed: int
    groups: NDArray[np.str_] | None = None

    def draw(self, mix: str) -> Split:
        """Return the split whose reserve is the largest pool of a mix; what is not drawn is in no part.

        Raises:
            ValueError: the regime refuses the mix, or the pool would be empty.
        """
        check_mix(mix, self.regime)
        rows = self._rows(mix)
        if not len(rows):
            sizes = self.split.class_sizes("reserve", len(self.names))
            scarce = int(np.argmin(np.where(self.training > 0, sizes, sizes.max() + 1)))
            raise ValueError(
                f"pool.mix={mix} leaves no pool: {sizes[scarce]} unused training samples are left of class "
                f"{self.names[scarce]!r}; use pool.mix=complement, a larger dataset.train_size or a smaller split.primary"
            )
        return self.split.with_parts(reserve=rows)

    def class_sizes(self, mixes: Sequence[str]) -> Ints:
        """Return [M, K] the class sizes of the pools of some mixes, without those that are refused or empty."""
        pools = [self._rows(mix) for mix in mixes if mix not in self.regime.refused_mixes]
        kept = [np.bincount(self.split.labels[rows], minlength=len(self.names)) for rows in pools if len(rows)]
        return np.stack(kept) if kept else np.empty((0, len(self.names)), np.int64)

    def _rows(self, mix: str) -> Ints:
        """Return the rows of a pool, in one random order per class for all mixes of a seed.

        Where the regime keeps the mix of the training data, ``same`` and ``natural`` are that mix, which the unused
        samples have as they are: nothing is left out.
        """
        reserve, labels = self.split.reserve, self.split.labels
        if mix == COMPLEMENT or (self.regime.keeps_mix and mix in (SAME, NATURAL)):
            return reserve
        sizes = self._sizes(mix)
        if self.groups is not None:
            taken = draw_groups(labels[reserve], self.groups[reserve], sizes, generator(self.seed, "pool groups"))
            return reserve[taken]
        order = generator(self.seed, "pool samples").permutation(reserve)
        rows: Ints = order[within_class_rank(labels[order]) < sizes[labels[order]]]
        return rows

    def _sizes(self, mix: str) -> Ints:
        """Return [K] the class sizes of a pool."""
        available = self.split.class_sizes("reserve", len(self.names))
        if mix == BALANCED:
            return np.where(self.training > 0, available[self.training > 0].min(), 0)
        shares = self.split.class_sizes("primary", len(self.names)) if mix == SAME else self.training
        return fit_mix(shares, available, generator(self.seed, "pool sizes"))


def fit_mix(shares: Ints, available: Ints, rng: np.random.Generator) -> Ints:
    """Return [K] the largest sizes in proportion to `shares` that are there, by the largest remainder.

    With ``q_k = n s_k / Σ s`` class k gets ``⌊q_k⌋`` or ``⌈q_k⌉``, never more than is available and none where its
    share is 0; n is the largest number of samples for which that can be met, so that the scarcest class binds.

    Args:
        shares: [K] whole numbers that the sizes are proportional to; not all 0.
        available: [K] samples there are.
        rng: breaks ties between equal remainders.
    """
    total, used = int(shares.sum()), shares > 0
    size = int((((available[used] + 1) * total - 1) // shares[used]).min())  # the largest with ⌊q⌋ <= available
    while True:
        quota, remainder = np.divmod(shares * size, total)
        can_round_up = (remainder > 0) & (quota < available)
        capacity = int(quota.sum()) + int(can_round_up.sum())
        if size <= capacity:
            break
        size = capacity  # capacity grows with size, so that no larger size fits either
    order = np.lexsort((rng.permutation(len(shares)), -remainder))
    order = order[can_round_up[order]]
    quota[order[: size - int(quota.sum())]] += 1
    return quota

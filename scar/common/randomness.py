"""Every random draw has its own generator, so that neither order nor caching can change a result."""

import hashlib

import numpy as np


def derive_seed(seed: int, purpose: str, *index: int) -> int:
    """Return a 63-bit seed that depends on all arguments and on nothing else.

    Args:
        seed: the seed of the job (or of the dataset, for what must not change between jobs).
        purpose: what is drawn, e.g. ``"split"``. It never holds the name of a completion strategy, so that the
            arms of one seed are paired, except where the samples of a strategy are chosen.
        index: further coordinates, e.g. the down-sampling factor and the part.
    """
    text = ":".join(str(part) for part in (seed, purpose, *index))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """Return the NumPy generator of `derive_seed`."""
    return np.random.default_rng(derive_seed(seed, purpose, *index))

"""Observations with planted answers, for the tests of the estimators."""

import numpy as np

from scar.measures.observations import Observations

FACTORS = (1, 2, 5, 10, 15, 20, 30)


def gap_observations(
    gap, *, steps=10, total=8000, heldout=400, factors=FACTORS, seed=0, limit=0.08, heldout_errors=True
):
    """Draw error counts whose expected gap is `gap(n)` [K] for a subset of n samples.

    Errors meet at `limit`: held-out rates lie half the gap above, training rates half below. Held-out samples keep
    their difficulty over all probes, and so do training samples.
    """
    random = np.random.default_rng(seed)
    per_class = total // steps
    difficulty = {"train": random.random((steps, per_class)), "test": random.random((steps, heldout))}
    rows = {name: [] for name in ("factor", "part", "size", "tm", "tf", "hm", "hf")}
    for factor in factors:
        own = per_class // factor
        for part in range(factor):
            half = 0.5 * np.broadcast_to(gap(own * steps), (steps,))
            train, test = np.clip(limit - half, 0, 1), np.clip(limit + half, 0, 1)
            piece = difficulty["train"][:, part * own : (part + 1) * own]
            rows["factor"].append(factor)
            rows["part"].append(part)
            rows["size"].append(own * steps)
            rows["tm"].append((piece < train[:, None]).sum(axis=1))
            rows["tf"].append(random.binomial(own * (steps - 1), train))
            rows["hm"].append((difficulty["test"] < test[:, None]).sum(axis=1))
            rows["hf"].append(random.binomial(heldout * (steps - 1), test))
    data = {name: np.array(values) for name, values in rows.items()}
    held = {
        "heldout_misses": data["hm"],
        "heldout_false_alarms": data["hf"],
        "heldout_class_sizes": np.full(steps, heldout),
    }
    return _of_errors(
        np.repeat((data["size"] // steps)[:, None], steps, axis=1),
        factors=data["factor"],
        parts=data["part"],
        sizes=data["size"],
        train_misses=data["tm"],
        train_false_alarms=data["tf"],
        n_total=total,
        **(held if heldout_errors else dict.fromkeys(held)),
    )


def _of_errors(class_sizes, **counts):
    """Observations [P, K] of error counts, with measures that no estimator of errors looks at."""
    half = np.full(class_sizes.shape, 0.5)
    measures = dict.fromkeys(("scale", "coverage", "authenticity", "richness"), half)
    return Observations(class_sizes=class_sizes, true_positives=class_sizes, **measures, **counts)


def power_law_observations(rng, gap, exponent, *, counts, heldout, factors=(1, 2, 4, 8), max_parts=3, limit=0.08):
    """Draw error counts of classes whose expected gap is ``gap · t^-exponent`` [K] at a share t of the data.

    A gap is half of a difference of miss rates: training samples are missed at the rate `limit`, held-out samples at
    ``limit + 2 gap``, and keep their difficulty over all probes. There are no false alarms.

    Args:
        rng: of all draws.
        gap: [K] at the whole of the data.
        exponent: of all classes.
        counts: [K] training samples.
        heldout: [K] held-out samples.
    """
    counts, heldout = np.asarray(counts), np.asarray(heldout)
    difficulty = [rng.random(size) for size in heldout]
    rows = [(factor, part) for factor in factors for part in range(min(factor, max_parts))]
    sizes, train, test = [], [], []
    for factor, _ in rows:
        own = np.maximum(counts // factor, 1)
        missed = np.clip(limit + 2 * np.asarray(gap) * factor**exponent, 0, 1)
        sizes.append(own)
        train.append(rng.binomial(own, limit))
        test.append([(each < rate).sum() for each, rate in zip(difficulty, missed, strict=True)])
    sizes, none = np.array(sizes), np.zeros((len(rows), counts.size), dtype=np.int64)
    return _of_errors(
        sizes,
        factors=np.array([factor for factor, _ in rows]),
        parts=np.array([part for _, part in rows]),
        sizes=sizes.sum(axis=1),
        train_misses=np.array(train),
        train_false_alarms=none,
        heldout_misses=np.array(test),
        heldout_false_alarms=none,
        heldout_class_sizes=heldout,
        n_total=int(sizes[0].sum()),
    )


def growth_observations(h, kappa, *, total=400_000, factors=FACTORS, noise=0.05, seed=0, misses=0.01, chance=True):
    """Draw coverages whose debiased bound of Eq. 7 is `h (1 - exp(-kappa x))`, [K] each, times lognormal noise."""
    from scar.measures.debias import coverage_deficit

    random = np.random.default_rng(seed)
    h, kappa = np.broadcast_arrays(np.asarray(h, dtype=float), kappa)
    steps = h.size
    r = np.repeat(np.array(factors), factors)
    own = np.repeat((total // steps // r)[:, None], steps, axis=1)
    authenticity = np.full(own.shape, 1.0 - misses)
    richness = authenticity + (1.0 - authenticity) * (steps - 2) / (steps - 1)
    scale = np.repeat(1.0 / r[:, None], steps, axis=1)
    y = h * -np.expm1(-kappa / r[:, None]) * np.exp(noise * random.standard_normal(own.shape))
    deficit = y / np.exp(2.0 * scale * (richness - authenticity) ** 2)
    expected = -coverage_deficit(np.ones(own.shape), own)[0] if chance else 0.0
    errors = np.rint(misses * own * steps).astype(np.int64)
    return Observations(
        factors=r,
        parts=np.concatenate([np.arange(factor) for factor in factors]),
        sizes=own[:, 0] * steps,
        class_sizes=own,
        scale=scale,
        coverage=1.0 - deficit - expected,
        authenticity=authenticity,
        richness=richness,
        true_positives=own,
        train_misses=errors,
        train_false_alarms=errors,
        n_total=total,
    )


def permuted(observations, order):
    """Reorder the steps."""
    from dataclasses import fields

    def change(value):
        if not isinstance(value, np.ndarray):
            return value
        if value.ndim == 2:
            return value[:, order]
        return value[order] if value is observations.heldout_class_sizes else value

    return Observations(**{f.name: change(getattr(observations, f.name)) for f in fields(observations)})


def replaced(observations, **changes):
    """Return the observations with some fields changed."""
    from dataclasses import replace

    return replace(observations, **changes)


def only_factors(observations, factors):
    """Keep the probes of some factors."""
    from dataclasses import fields

    keep = np.isin(observations.factors, factors)
    rows = {
        f.name: getattr(observations, f.name)[keep]
        for f in fields(observations)
        if f.name not in ("heldout_class_sizes", "n_total") and getattr(observations, f.name) is not None
    }
    return replaced(observations, **rows)

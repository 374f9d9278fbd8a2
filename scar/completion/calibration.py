"""Calibrated class probabilities: a share p of the samples to which p is given are of the class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from scar.common.types import Floats, Ints

Calibration = Callable[[Floats], Floats]
"""From logits [n, K] to probabilities [n, K]."""

METHODS = ("bias_corrected", "temperature", "isotonic")
LEAST = 1e-6
"""Least probability of a class, so that no sample is left without any."""


def calibrate(method: str, logits: Floats, labels: Ints) -> Calibration:
    """Fit a calibration.

    ``"temperature"``: ``softmax(z / T)`` with the T of the smallest cross-entropy (Guo et al. 2017); it keeps the
    order of the classes, and with it the preference of a probe for the classes that it saw most.
    ``"bias_corrected"``: ``softmax(z / T + b)`` (Alexandari et al. 2020), which takes that preference away.
    ``"isotonic"``: one increasing map per class of its softmax probability, then normalised
    (Zadrozny and Elkan 2002); it can mend a class that is predicted too often, and needs more samples.

    Args:
        method: one of `METHODS`.
        logits: [n, K] of samples that the probe was not fitted to.
        labels: [n] their classes.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r} is unknown; use one of {', '.join(METHODS)}")
    if not len(labels):
        raise ValueError("labels is empty: probabilities are calibrated on a validation part; give split.validation")
    fit = {"temperature": _temperature, "bias_corrected": _bias_corrected, "isotonic": _isotonic}[method]
    return fit(logits, labels)


def _temperature(logits: Floats, labels: Ints) -> Calibration:
    from scipy.optimize import minimize_scalar

    own = logits[np.arange(len(labels)), labels]

    def loss(log_scale: float) -> float:
        scaled = np.exp(log_scale) * logits
        most = scaled.max(axis=1)
        normalizer = most + np.log(np.exp(scaled - most[:, None]).sum(axis=1))
        return float(np.mean(normalizer - np.exp(log_scale) * own))

    scale = float(np.exp(minimize_scalar(loss, bounds=(-5.0, 5.0), method="bounded").x))
    return lambda values: softmax(scale * values)


def _bias_corrected(logits: Floats, labels: Ints) -> Calibration:
    from scipy.optimize import minimize

    count, classes = logits.shape
    truth = np.zeros_like(logits)
    truth[np.arange(count), labels] = 1.0

    def loss(parameters: Floats) -> tuple[float, Floats]:
        scale, bias = np.exp(parameters[0]), parameters[1:]
        scaled = scale * logits + bias
        scaled -= scaled.max(axis=1, keepdims=True)
        normalizer = np.log(np.exp(scaled).sum(axis=1))
        error = np.exp(scaled - normalizer[:, None]) - truth
        value = float(np.sum(normalizer) - np.sum(scaled * truth) + 0.5 * bias @ bias)
        slope = np.concatenate([[scale * np.sum(error * logits)], error.sum(axis=0) + bias])
        return value / count, slope / count

    bounds = [(-5.0, 5.0), *[(None, None)] * classes]
    found = minimize(loss, np.zeros(classes + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    return lambda values: softmax(np.exp(found[0]) * values + found[1:])


def _isotonic(logits: Floats, labels: Ints) -> Calibration:
    from sklearn.isotonic import IsotonicRegression

    raw = softmax(logits)
    maps = [
        IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(raw[:, k], labels == k)
        for k in range(raw.shape[1])
    ]

    def apply(values: Floats) -> Floats:
        given = softmax(values)
        mapped = np.stack([each.predict(given[:, k]) for k, each in enumerate(maps)], axis=1) + LEAST * given
        result: Floats = mapped / mapped.sum(axis=1, keepdims=True)
        return result

    return apply


def softmax(logits: Floats) -> Floats:
    """Return the probabilities [n, K] of logits [n, K]."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities

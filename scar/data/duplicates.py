"""Exact duplicates: samples with the same content, within and across the splits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.mapped import repeated, room
from scar.data.media import MediaFile
from scar.data.samples import POOL, TEST, TRAIN, Samples

_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class DuplicateReport:
    """Groups of samples with the same content.

    Attributes:
        groups: ids of each group of two or more, in the order of the samples.
        within_train: training samples that repeat an earlier training sample.
        within_test: test samples that repeat an earlier test sample.
        across: ids of the test samples whose content is also in the training part.
        conflicting: number of groups whose samples do not share one label; None where there are no labels.
    """

    groups: tuple[tuple[str, ...], ...]
    within_train: int
    within_test: int
    across: tuple[str, ...]
    conflicting: int | None

    def __str__(self) -> str:
        if not self.groups:
            return "no exact duplicates"
        shown = f" ({', '.join(self.across[:3])}{' …' if len(self.across) > 3 else ''})" if self.across else ""
        labels = "" if self.conflicting is None else f"; {self.conflicting} groups with different labels"
        return (
            f"exact duplicates: {self.within_train} within train, {self.within_test} within test, "
            f"{len(self.across)} test samples also in train{shown}{labels}"
        )


def content_hashes(samples: Samples) -> dict[str, NDArray[np.uint8]]:
    """Return, by modality, the hash [N, 16] of every payload; payloads are read one at a time.

    Images are told apart by their pixels, or without decoding them by the bytes of their files, where the samples are
    those of `scar.data.undecoded`; sounds, videos and animations always by the bytes of their files.
    """
    found = {}
    for modality, payload in samples.payloads.items():
        hashes = found[modality] = room((len(samples), 16), np.uint8)
        for row in range(len(samples)):
            hashes[row] = _digest([payload[row]])
    return found


def exact_duplicates(
    samples: Samples, modality: str | None = None, *, hashes: Mapping[str, NDArray[np.uint8]] | None = None
) -> DuplicateReport:
    """Find samples with the same content by its hash.

    Args:
        samples: of a source.
        modality: compare this one only; None takes samples for the same if all their modalities are.
        hashes: of `content_hashes`, if they are at hand.

    Raises:
        ValueError: the samples have no such modality.
    """
    if modality is not None and modality not in samples.payloads:
        raise ValueError(f"modality={modality!r} is not among those of the samples: {', '.join(samples.payloads)}")
    if hashes is None:
        chosen = samples.payloads if modality is None else {modality: samples.payloads[modality]}
        hashes = content_hashes(replace(samples, payloads=chosen))
    chosen_hashes = {name: values for name, values in hashes.items() if modality in (None, name)}
    rows = repeated(_beginnings(chosen_hashes))  # all others are distinct
    alike = joint_hash({name: values[rows] for name, values in chosen_hashes.items()})
    _, content, counts = np.unique(alike, return_inverse=True, return_counts=True)
    several = np.flatnonzero(counts[content] > 1)
    order = several[np.argsort(content[several], kind="stable")]
    groups = np.split(rows[order], np.flatnonzero(np.diff(content[order])) + 1) if len(order) else []
    return _report(samples, sorted(groups, key=lambda rows: int(rows[0])))


def joint_hash(hashes: Mapping[str, NDArray[np.uint8]], modality: str | None = None) -> NDArray[np.void]:
    """Return [N] one value per sample: the hash of one modality, or those of all side by side."""
    chosen = [hashes[name] for name in sorted(hashes)] if modality is None else [hashes[modality]]
    wide = np.ascontiguousarray(np.concatenate(chosen, axis=1))
    return wide.view(f"V{wide.shape[1]}").ravel()


def _beginnings(hashes: Mapping[str, NDArray[np.uint8]]) -> NDArray[np.uint64]:
    """Return [N] a number per sample, from the first half of the hash of each modality; the same for equal contents."""
    found: Any = 0
    for name in sorted(hashes):
        found = found * _ODD + np.ascontiguousarray(hashes[name]).view(np.uint64)[:, 0]
    return np.asarray(found, np.uint64)


def _report(samples: Samples, groups: list[NDArray[np.int64]]) -> DuplicateReport:
    within = {TRAIN: 0, TEST: 0}
    across: list[str] = []
    conflicting = 0
    for rows in groups:
        rows = rows[samples.splits[rows] != POOL]
        test = rows[samples.splits[rows] == TEST]
        within[TEST] += max(len(test) - 1, 0)
        within[TRAIN] += max(len(rows) - len(test) - 1, 0)
        if 0 < len(test) < len(rows):
            across.extend(str(each) for each in samples.ids[test])
        conflicting += samples.labels is not None and len(np.unique(samples.labels[rows], axis=0)) > 1
    ids = tuple(tuple(str(each) for each in samples.ids[rows]) for rows in groups)
    return DuplicateReport(
        ids, within[TRAIN], within[TEST], tuple(across), None if samples.labels is None else conflicting
    )


def _digest(contents: Iterable[Any]) -> NDArray[np.uint8]:
    """Return 16 bytes that tell contents apart: arrays, images, strings, sequences of them, and files."""
    digest = hashlib.blake2b(digest_size=16)
    for content in contents:
        _feed(digest, content)
    return np.frombuffer(digest.digest(), np.uint8)


def _feed(digest: Any, content: Any) -> None:
    if isinstance(content, str):
        encoded = content.encode()
        digest.update(b"text %d " % len(encoded) + encoded)
    elif isinstance(content, tuple | list):
        digest.update(b"sequence %d " % len(content))
        for item in content:
            _feed(digest, item)
    elif isinstance(content, MediaFile):
        start, duration = content.part
        digest.update(f"part {start} {duration} ".encode())
        digest.update(content.manner.encode())
        _feed(digest, content.path)
    elif isinstance(content, Path):
        with content.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    elif isinstance(content, np.ndarray):
        digest.update(f"array {content.dtype} {content.shape} ".encode() + content.tobytes())
    elif hasattr(content, "tobytes"):  # a PIL image
        digest.update(f"image {content.mode} {content.size} ".encode() + content.tobytes())
    else:
        raise TypeError(f"a payload of type {type(content).__name__} cannot be compared")

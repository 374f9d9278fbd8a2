"""Captioned scenes: generated pairs whose mismatched captions and near-duplicates are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scar.common.randomness import derive_seed, generator
from scar.common.types import Ints
from scar.data.checks import validate_samples
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.data.sources._scene_grammar import DETAILS, TYPE_NAMES, TYPES, Scene, describe, describe_otherwise
from scar.data.sources._scene_pictures import draw, look_again, look_at

_COPIES = 3
"""Near-duplicates of one original."""
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


@dataclass(frozen=True, eq=False, kw_only=True)
class _Roles:
    """What is planted where: disjoint rows of the training part.

    Attributes:
        mismatched: rows that get the caption of another scene.
        donors: rows whose scenes they describe, aligned.
        duplicates: rows that are near-duplicates.
        originals: rows that they repeat, aligned.
    """

    mismatched: Ints
    donors: Ints
    duplicates: Ints
    originals: Ints


@dataclass(frozen=True, kw_only=True)
class CaptionedScenes(Source):
    """Pictures of one to three objects with a caption each; nothing is fetched, `root` is not used.

    A class is a shape in a colour. Scenes of a row do not depend on the sizes, so that a smaller set is the beginning of
    a larger one until mismatches and near-duplicates are planted.

    Attributes:
        imbalance: how many times larger the largest class is than the smallest; sizes between fall geometrically.
        mismatched: share of the training captions that describe a scene of another class.
        duplicates: share of the training pairs that repeat another with a small change and in other words.
    """

    name: str = "captioned_scenes"
    train_size: int | None = 6000
    test_size: int | None = 1000
    imbalance: float = 10.0
    mismatched: float = 0.15
    duplicates: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        for part in ("train_size", "test_size"):
            if getattr(self, part) is None:
                raise ValueError(f"dataset.{part}=null leaves open how many scenes to generate; give a number")
        if not 1 <= self.imbalance <= 1000:
            raise ValueError(f"dataset.imbalance={self.imbalance} must lie in 1..1000; 1 makes all classes equal")
        for name in ("mismatched", "duplicates"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"dataset.{name}={getattr(self, name)} must be a share in [0, 1)")
        if self.mismatched + self.duplicates > 0.8:
            raise ValueError(
                f"dataset.mismatched={self.mismatched} and dataset.duplicates={self.duplicates} leave less than a fifth of "
                "the pairs as they are; lower one of them"
            )

    @property
    def modalities(self) -> tuple[str, ...]:
        """Pictures and their captions."""
        return ("image", "text")

    def files(self, data_dir: Path) -> list[Path]:
        """Return nothing: the content follows from the configuration and the code."""
        return []

    def without_faults(self, train_size: int, seed: int) -> CaptionedScenes:
        """Return other scenes, each with its own caption and none a second time."""
        return replace(self, seed=seed, mismatched=0.0, duplicates=0.0, train_size=train_size, test_size=1)

    def load(self, data_dir: Path) -> Samples:
        """Generate the pairs; the group columns are ``scene``, ``mismatched`` and ``duplicate_of``."""
        sizes = {TRAIN: int(self.train_size or 0), TEST: int(self.test_size or 0)}
        types = {part: self._types(part, size) for part, size in sizes.items()}
        scenes = {part: _deal(each, derive_seed(self.seed, "scene details")) for part, each in types.items()}
        roles = self._roles(types[TRAIN])
        pictures, captions, shown = self._train_part(scenes[TRAIN], roles)
        for row, scene in enumerate(scenes[TEST]):
            pictures.append(self._picture(TEST, row, scene))
            captions.append((describe(scene, generator(self.seed, "test caption", row), full=True),))
        labels = types[TRAIN].copy()
        labels[roles.duplicates] = labels[roles.originals]
        ids = {part: [f"{part}-{row:05d}" for row in range(size)] for part, size in sizes.items()}
        mismatched, duplicate_of = np.full(sum(sizes.values()), "no", "<U3"), np.full(sum(sizes.values()), "", "<U16")
        mismatched[roles.mismatched] = "yes"
        duplicate_of[roles.duplicates] = np.array(ids[TRAIN])[roles.originals]
        payloads: dict[str, Any] = {"image": np.stack(pictures), "text": captions}
        samples = Samples(
            ids=np.array([*ids[TRAIN], *ids[TEST]]),
            payloads=payloads,
            labels=np.concatenate([labels, types[TEST]]),
            class_names=TYPE_NAMES,
            splits=np.repeat([TRAIN, TEST], list(sizes.values())),
            groups={
                "scene": np.array([scene.name for scene in (*shown, *scenes[TEST])]),
                "mismatched": mismatched,
                "duplicate_of": duplicate_of,
            },
            notes=(
                f"{len(roles.mismatched)} of {sizes[TRAIN]} training captions describe another scene, "
                f"{len(roles.duplicates)} training pairs are near-duplicates of {len(np.unique(roles.originals))} others",
            ),
        )
        return validate_samples(samples, name=self.name)

    def _types(self, part: str, size: int) -> Ints:
        """Return the class [n] of every row: a sequence of low discrepancy, so that small sets have small classes too."""
        shares = self.imbalance ** (-np.arange(len(TYPES)) / (len(TYPES) - 1))
        order = generator(self.seed, "scene classes").permutation(len(TYPES))
        start = generator(self.seed, f"{part} classes").random()
        place = np.searchsorted(np.cumsum(shares / shares.sum()), (start + _GOLDEN * np.arange(size)) % 1.0)
        return np.asarray(order[np.minimum(place, len(TYPES) - 1)], dtype=np.int64)

    def _roles(self, types: Ints) -> _Roles:
        """Draw which rows [n] are planted; originals and donors are rows that are left as they are."""
        rows = generator(self.seed, "scene roles").permutation(len(types))
        wrong, again = round(self.mismatched * len(types)), round(self.duplicates * len(types))
        mismatched, duplicates, plain = np.split(rows, [wrong, wrong + again])
        rng = generator(self.seed, "mismatched captions")
        donors = [int(rng.choice(plain[types[plain] != types[row]])) for row in mismatched]
        repeated = plain[: -(-again // _COPIES)]
        return _Roles(
            mismatched=mismatched,
            donors=np.array(donors, np.int64),
            duplicates=duplicates,
            originals=np.resize(repeated, again) if again else duplicates,
        )

    def _train_part(
        self, scenes: list[Scene], roles: _Roles
    ) -> tuple[list[NDArray[np.uint8]], list[tuple[str, ...]], list[Scene]]:
        """Return pictures, captions and what the pictures show."""
        donor_of = dict(zip(roles.mismatched.tolist(), roles.donors.tolist(), strict=True))
        original_of = dict(zip(roles.duplicates.tolist(), roles.originals.tolist(), strict=True))
        shown = [scenes[original_of.get(row, row)] for row in range(len(scenes))]
        pictures: list[NDArray[np.uint8]] = []
        captions: list[tuple[str, ...]] = []
        for row in range(len(scenes)):
            rng, original = generator(self.seed, "train caption", row), original_of.get(row)
            pictures.append(self._picture(TRAIN, row, shown[row], original))
            if original is None:
                captions.append((describe(scenes[donor_of.get(row, row)], rng, full=False),))
            else:
                known = describe(shown[row], generator(self.seed, "train caption", original), full=False)
                captions.append((describe_otherwise(shown[row], known, rng),))
        return pictures, captions, shown

    def _picture(self, part: str, row: int, scene: Scene, original: int | None = None) -> NDArray[np.uint8]:
        """Return the picture of a row, or one that is nearly that of the original."""
        view = look_at(scene, generator(self.seed, f"{part} view", row if original is None else original))
        if original is not None:
            view = look_again(view, generator(self.seed, f"{part} second view", row))
        return draw(scene, view, generator(self.seed, f"{part} noise", row))


def _deal(types: Ints, seed: int) -> list[Scene]:
    """Return a scene for every row: within a class no combination of details comes twice before all have come."""
    dealt = np.zeros(len(TYPES), np.int64)
    decks: dict[tuple[int, int], Ints] = {}
    scenes = []
    for kind in types.tolist():
        turn, card = divmod(int(dealt[kind]), len(DETAILS))
        if (kind, turn) not in decks:
            decks[kind, turn] = generator(seed, "deck", kind, turn).permutation(len(DETAILS))
        scenes.append(Scene.of(kind, int(decks[kind, turn][card])))
        dealt[kind] += 1
    return scenes

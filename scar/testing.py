r"""Checks for datasets and encoders of your own: do they keep the contract that the stages rely on?

A dataset is one class and one YAML in a package of yours, found through ``hydra.searchpath``. A template to copy::

    # mine/words.py
    from dataclasses import dataclass
    from pathlib import Path

    import numpy as np

    from scar.data.checks import validate_samples
    from scar.data.samples import Samples
    from scar.data.source import Source
    from scar.data.stratify import draw_test_part, keep_sizes

    @dataclass(frozen=True, kw_only=True)
    class Words(Source):
        name: str = "words"
        test_fraction: float = 0.2  # a field that decides the content; runtime ones say so in their metadata

        @property
        def modalities(self) -> tuple[str, ...]:
            return ("text",)

        def files(self, data_dir: Path) -> list[Path]:
            path = Path(self.root or data_dir) / "words.tsv"
            if not path.is_file():
                raise FileNotFoundError(f"{path} is not there; point dataset.root at its folder")
            return [path]

        def load(self, data_dir: Path) -> Samples:
            rows = [line.split("\t") for line in self.files(data_dir)[0].read_text().splitlines()]
            names = sorted({label for _, label in rows})
            labels = np.array([names.index(label) for _, label in rows])
            splits = draw_test_part(labels, self.test_fraction, self.seed)
            samples = Samples(
                ids=np.array([str(row) for row in range(len(rows))]),
                payloads={"text": [text for text, _ in rows]},
                labels=labels,
                class_names=tuple(names),
                splits=splits,
                groups={},
            )
            kept = keep_sizes(labels, splits, train_size=self.train_size, test_size=self.test_size, seed=self.seed)
            return validate_samples(samples.take(kept), name=self.name)

    # mine/conf/dataset/words.yaml
    defaults:
      - /every_dataset
      - _self_
      - override /encoder@_global_.encoder: letters
    _target_: mine.words.Words
    name: words
    test_fraction: 0.2

An encoder is one class and one YAML, too::

    # mine/letters.py
    from collections.abc import Sequence
    from dataclasses import dataclass
    from pathlib import Path

    import numpy as np

    from scar.encoders.encoder import Embed, Encoder

    @dataclass(frozen=True, kw_only=True)
    class Letters(Encoder):
        name: str = "letters"
        modality: str = "text"

        def weights(self) -> list[Path]:
            return []  # the files whose content decides the embeddings

        def open(self) -> Embed:  # heavy libraries are imported here
            def embed(texts: Sequence[str]) -> np.ndarray:
                counts = [[text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]
                return np.array(counts, np.float32)

            return embed

    # mine/conf/encoder/letters.yaml
    _target_: mine.letters.Letters
    name: letters
    modality: text
    batch_size: 64

Run it by ``scar dataset=words dataset.root=... 'hydra.searchpath=[pkg://mine.conf]'`` (or ``file:///path/to/mine/conf``), and
check it in a test::

    from scar.testing import check_dataset, check_encoder

    def test_words_keep_the_contract(tmp_path):
        samples = check_dataset(Words(root="tests/data"), tmp_path)
        check_encoder(Letters(), samples.payloads["text"][:20])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf

from scar.data.checks import validate_samples
from scar.data.duplicates import _digest
from scar.data.media import MediaFile
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.source import Source
from scar.encoders.encoder import Encoder
from scar.store.keys import identity

_LOOKED_AT = 16
_TOLERANCE = 1e-4


class ContractError(AssertionError):
    """A dataset or an encoder does not keep the contract; the message says what is wrong."""


def check_dataset(source: Source, data_dir: Path) -> Samples:
    """Check a dataset against everything that the stages rely on.

    Args:
        source: a configured dataset whose data are there.
        data_dir: folder of fetched data.

    Returns:
        Its samples.

    Raises:
        ContractError: it does not keep the contract.
    """
    _check_config(source, Source)
    modalities = source.modalities
    _require(
        isinstance(modalities, tuple) and bool(modalities) and all(isinstance(m, str) for m in modalities),
        f"modalities must be a tuple of names, got {modalities!r}",
    )
    paths = source.files(data_dir)
    _require(bool(paths) and all(path.is_file() for path in paths), f"files() must return existing files, got {paths}")
    _require(paths == source.files(data_dir), "files() must return the same files in the same order every time")
    samples, again = source.load(data_dir), source.load(data_dir)
    try:
        validate_samples(samples, name=source.name)
    except ValueError as error:
        raise ContractError(str(error)) from error
    _require(
        set(samples.payloads) == set(modalities),
        f"modalities are {modalities}, but load() gives payloads for {tuple(samples.payloads)}",
    )
    for part in ("ids", "labels", "splits"):
        _require(
            np.array_equal(getattr(samples, part), getattr(again, part)), f"{part} differ when load() is called again"
        )
    for modality in modalities:
        _check_payload(samples.payloads[modality], again.payloads[modality], modality)
    _check_draws(source, samples, data_dir)
    return samples


def check_encoder(encoder: Encoder, payloads: Sequence[Any]) -> NDArray[np.float32]:
    """Check an encoder of a single modality against everything that the stages rely on.

    Args:
        encoder: a configured encoder whose weights are there; of a joint model, one of its towers.
        payloads: at least four that differ, of its modality.

    Returns:
        Their embeddings [N, D].

    Raises:
        ContractError: it does not keep the contract.
        ValueError: there are fewer than four payloads, or they are all the same.
    """
    if len(payloads) < 4 or len({_digest([each]).tobytes() for each in payloads}) < 2:
        raise ValueError(f"check_encoder needs at least four payloads that differ, got {len(payloads)}")
    _check_config(encoder, Encoder)
    _require(len(encoder.modalities) == 1, f"check the towers of {encoder.modality} one by one: encoder.towers()")
    _require(list(encoder.towers()) == [encoder.modality], "towers() must be {modality: encoder}")
    weights = encoder.weights()
    _require(
        isinstance(weights, list) and all(path.is_file() for path in weights),
        f"weights() must return a list of existing files, empty for none, got {weights!r}",
    )
    before = [_digest([each]).tobytes() for each in payloads]
    opened = partial(encoder.fit, payloads) if encoder.learns else encoder.open
    embed = opened()
    embeddings = embed(list(payloads))
    _check_embeddings(embeddings, len(payloads))
    _require(before == [_digest([each]).tobytes() for each in payloads], "the payloads were changed in place")
    _alike(embed(list(payloads)), embeddings, "the same payloads give other embeddings the second time")
    _alike(opened()(list(payloads)), embeddings, "the encoder opened again gives other embeddings")
    singly = np.concatenate([embed([each]) for each in payloads])
    _alike(singly, embeddings, "an embedding depends on what else is in the batch")
    _alike(embed(list(payloads)[::-1])[::-1], embeddings, "the order of the payloads changes their embeddings")
    _require(bool((np.ptp(embeddings, axis=0) > 0).any()), "different payloads all have one and the same embedding")
    return embeddings


def _require(kept: bool, message: str) -> None:
    if not kept:
        raise ContractError(message)


def _check_config(made: Any, base: type) -> None:
    """Check that an object can be a node of the configuration and has an identity."""
    kind = type(made)
    _require(isinstance(made, base), f"{kind.__name__} must be a subclass of {base.__name__}")
    frozen = getattr(getattr(kind, "__dataclass_params__", None), "frozen", False)
    _require(is_dataclass(kind) and frozen, f"{kind.__name__} must be a dataclass with frozen=True, kw_only=True")
    _require(bool(made.name), "name must not be empty")
    try:
        OmegaConf.structured(kind)
        identity(made)
    except Exception as error:
        raise ContractError(f"a field has a type that a configuration cannot hold: {error}") from error
    values = {each.name: getattr(made, each.name) for each in fields(kind)}
    _require(kind(**values) == made, "an object made anew from its own fields must be equal to it")


def _check_payload(payload: Any, again: Any, modality: str) -> None:
    """Check that items can be read by position, repeatedly, and are what encoders of the modality take."""
    rows = np.unique(np.linspace(0, len(payload) - 1, _LOOKED_AT).astype(int)).tolist()
    for row in rows:
        item = payload[row]
        _require(
            _fits(item, modality), f"payloads[{modality!r}][{row}] is a {type(item).__name__}: see Samples.payloads"
        )
        if not isinstance(item, MediaFile):
            same = _digest([item]).tobytes() == _digest([again[row]]).tobytes()
            _require(same, f"payloads[{modality!r}][{row}] has another content when it is read again")


def _fits(item: Any, modality: str) -> bool:
    if modality == "text":
        texts = item if isinstance(item, tuple) else (item,)
        return bool(texts) and all(isinstance(text, str) for text in texts)
    if modality == "image":
        is_array = isinstance(item, np.ndarray) and item.dtype == np.uint8 and item.ndim in (2, 3)
        return is_array or hasattr(item, "convert")
    if modality == "audio":
        return callable(getattr(item, "read", None))
    if modality == "video":
        return callable(getattr(item, "frames", None))
    return item is not None


def _check_draws(source: Source, samples: Samples, data_dir: Path) -> None:
    """Check that the sizes of the parts can be chosen, and that what is kept does not depend on the other part."""
    sizes = {part: int((samples.splits == part).sum()) for part in (TRAIN, TEST)}
    classes = max(len(samples.class_names), 1)
    fewer = {TRAIN: max(4 * classes, sizes[TRAIN] // 2), TEST: max(1, sizes[TEST] // 2)}
    if fewer[TRAIN] > sizes[TRAIN]:
        fewer[TRAIN] = sizes[TRAIN]
    part = replace(source, train_size=fewer[TRAIN], test_size=fewer[TEST]).load(data_dir)
    for split in (TRAIN, TEST):
        kept = int((part.splits == split).sum())
        _require(kept == fewer[split], f"{split}_size={fewer[split]} leaves {kept} samples of that part")
    _require(set(part.ids.tolist()) <= set(samples.ids.tolist()), "a sub-sample holds ids that the whole does not have")
    place = {name: row for row, name in enumerate(samples.ids.tolist())}
    rows = np.array([place[name] for name in part.ids.tolist()])
    _require(np.array_equal(part.splits, samples.splits[rows]), "a sub-sample moves samples between the parts")
    if samples.labels is not None and part.labels is not None:
        _require(np.array_equal(part.labels, samples.labels[rows]), "a sub-sample changes labels")


def _check_embeddings(embeddings: Any, size: int) -> None:
    _require(isinstance(embeddings, np.ndarray), f"embeddings must be a NumPy array, got {type(embeddings).__name__}")
    whole = embeddings.ndim == 2 and len(embeddings) == size and embeddings.dtype == np.float32
    _require(whole, f"embeddings must be float32 [{size}, D], got {embeddings.dtype} {embeddings.shape}")
    _require(bool(np.isfinite(embeddings).all()), "embeddings hold NaN or infinite values")


def _alike(other: Any, embeddings: NDArray[np.float32], message: str) -> None:
    """Compare up to rounding, which batches of other sizes change."""
    scale = float(np.abs(embeddings).max()) or 1.0
    same = np.shape(other) == embeddings.shape and np.allclose(other, embeddings, rtol=0, atol=_TOLERANCE * scale)
    _require(same, message)

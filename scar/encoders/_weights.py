"""Where pretrained weights lie: in a folder of the user's, or in the cache of the Hugging Face hub."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.constants
import platformdirs

from scar.common.files import CorruptArtefactError, read_json, write_json

CONFIGS = (
    "added_tokens.json",
    "config.json",
    "merges.txt",
    "model.safetensors.index.json",
    "open_clip_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "video_preprocessor_config.json",
    "vocab.json",
    "vocab.txt",
)
"""Files beside the weights that decide an embedding: architecture, preprocessing and vocabulary."""

MODEL = ("config.json",)
WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")
TOKENIZER = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model")
PROCESSOR = ("preprocessor_config.json", "processor_config.json")
"""What a model needs; of each line the first kind of file that is there is taken."""

_SECONDS = 10
"""How long the hub may take to answer the first question; the download itself may take as long as it needs."""


def pretrained_files(model: str, revision: str, folder: str | None, needs: Sequence[Sequence[str]]) -> list[Path]:
    """Return the files whose content decides the embeddings, fetching them once if the cache does not hold them.

    Args:
        model: id at the hub.
        revision: commit, tag or branch at the hub; a branch is what the cache has under that name.
        folder: that `save_pretrained` wrote, or a copy of a repository; None for the hub.
        needs: kinds of file that there must be; each a choice of patterns, the preferred one first.

    Raises:
        FileNotFoundError: a kind of file is missing; the message says what was sought where, and how to get it.
        ValueError: `model` cannot be an id at the hub.
    """
    if folder is not None:
        root = Path(folder).expanduser()
        lacking = missing_kinds(root, needs)
        if lacking:
            state = "does not hold" if root.is_dir() else "is not a folder; it should hold"
            raise FileNotFoundError(f"encoder.folder={folder} {state} {lacking}; point it at a copy of {model}")
        return select(root, needs)
    cached = _cached(model, revision)
    if cached is None or missing_kinds(cached, needs):
        cached = _fetch(model, revision, needs)
    return select(cached, needs)


def missing_kinds(root: Path, needs: Sequence[Sequence[str]]) -> str:
    """Return the kinds of file that a folder lacks, for a message; empty if it holds them all."""
    lacking = [kind for kind in needs if not any(_matches(root, pattern) for pattern in kind)]
    shards = [name for name in _shards(root) if not (root / name).is_file()]
    return ", ".join([*(" or ".join(kind) for kind in lacking), *shards])


def select(root: Path, needs: Sequence[Sequence[str]]) -> list[Path]:
    """Return the configurations in a folder and, of each kind, the files of the preferred pattern."""
    chosen = {path for name in CONFIGS if (path := root / name).is_file()}
    for kind in needs:
        chosen.update(next((found for pattern in kind if (found := _matches(root, pattern))), []))
    return sorted(chosen)


def _matches(root: Path, pattern: str) -> list[Path]:
    return [path for path in root.glob(pattern) if path.is_file()]


def _shards(root: Path) -> list[str]:
    """Return the names of the weight files that an index speaks of."""
    index = root / "model.safetensors.index.json"
    if not index.is_file():
        return []
    return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))


def _cached(model: str, revision: str) -> Path | None:
    """Return the snapshot in the cache, without asking the network."""
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            huggingface_hub.snapshot_download(
                model, revision=revision, local_files_only=True, allow_patterns=["config.json"]
            )
        )
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise ValueError(f"encoder.model={model!r} is not the id of a model at the hub: {error}") from error


def _fetch(model: str, revision: str, needs: Sequence[Sequence[str]]) -> Path:
    """Download what is needed of a model; one short question first, since the download itself retries for long."""
    try:
        info = huggingface_hub.HfApi().model_info(model, revision=revision, timeout=_SECONDS)
        names = [each.rfilename for each in info.siblings or []]
        root = Path(
            huggingface_hub.snapshot_download(
                model, revision=revision, allow_patterns=[*CONFIGS, *_preferred(names, needs)]
            )
        )
    except Exception as error:  # the hub's client raises errors of several HTTP libraries
        raise FileNotFoundError(
            f"{model} (revision {revision}) is not in the cache of the hub, {huggingface_hub.constants.HF_HUB_CACHE}, and could not be fetched: "
            f"{' '.join(str(error).split()) or type(error).__name__}. Needed: "
            f"{', '.join(' or '.join(kind) for kind in needs)}. Where there is a network, fetch it with scar-admin "
            "fetch and the name of the encoder; or copy the model's folder here and set encoder.folder=PATH (HF_HOME moves the cache)"
        ) from error
    lacking = missing_kinds(root, needs)
    if lacking:
        raise FileNotFoundError(f"{model} (revision {revision}) at the hub does not hold {lacking}; use another model")
    return root


def _preferred(names: Sequence[str], needs: Sequence[Sequence[str]]) -> list[str]:
    """Return, of each kind, the names that match its first pattern with a match."""
    chosen: list[str] = []
    for kind in needs:
        patterns = (re.compile(re.escape(pattern).replace(r"\*", "[^/]*")) for pattern in kind)
        chosen += next((found for p in patterns if (found := [name for name in names if p.fullmatch(name)])), [])
    return chosen


def remembered(library: str, name: str, find: Callable[[str], Any]) -> Any:
    """Return what a library's registry says of a name, without importing the library a second time.

    The answers are kept in the user's cache, by version of the library.

    Args:
        library: the distribution that owns the registry.
        name: the entry.
        find: imports the library and returns the answer, of JSON types.
    """
    memo = platformdirs.user_cache_path("scar") / f"{library}-{version(library)}.json"
    try:
        known = read_json(memo)
    except CorruptArtefactError:
        known = {}
    if name not in known:
        known[name] = find(name)
        with suppress(OSError):  # a cache that cannot be written only costs the next import
            memo.parent.mkdir(parents=True, exist_ok=True)
            write_json(memo, known)
    return known[name]

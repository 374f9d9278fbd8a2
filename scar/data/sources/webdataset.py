"""WebDataset shards: tar files whose members of one key make a sample; nothing is extracted."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from scar.data.fetch import FetchError
from scar.data.image_decoding import Depth, UnreadableMedia
from scar.data.names import caption_list, texts, wrong_name
from scar.data.samples import TEST, TRAIN, Samples
from scar.data.sources._columns import ColumnSource
from scar.data.sources._encoded import EncodedImages


@dataclass(frozen=True)
class _Member:
    """Where the bytes of a file lie."""

    shard: Path
    name: str
    start: int
    size: int

    def read(self) -> bytes:
        with self.shard.open("rb") as file:
            file.seek(self.start)
            return file.read(self.size)

    def __str__(self) -> str:
        return f"{self.shard}, member {self.name}"


@dataclass(frozen=True)
class _Sample:
    """The members of one key by their extension, the part of the base name after its first dot."""

    key: str
    split: str
    members: dict[str, _Member]

    def member(self, extensions: str) -> _Member:
        """Return the member with one of the extensions in ``"jpg;png"``."""
        for extension in extensions.split(";"):
            if extension in self.members:
                return self.members[extension]
        some = next(iter(self.members.values()))
        raise ValueError(f"{some.shard}: the sample {self.key!r} has no {extensions}; it has {', '.join(self.members)}")


@dataclass(frozen=True, kw_only=True)
class WebDatasetSource(ColumnSource):
    """Samples of tar shards that lie uncompressed in a folder; nothing is fetched.

    In place of columns stand extensions: ``"jpg;png"`` takes whichever there is, ``"json:caption"`` a value of a JSON
    member. Ids are the keys. Only images and texts are read.

    Attributes:
        train_shards: pattern of the shards of the training part.
        test_shards: pattern of those of the test part; None draws one from the training part.
    """

    remote: ClassVar[bool] = True

    name: str = "webdataset"
    image: str | None = "jpg;jpeg;png;webp"
    text: str | None = None
    label: str | None = "cls"
    id: str | None = field(default=None)
    train_shards: str = "*.tar"
    test_shards: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.audio is not None or self.video is not None:
            raise ValueError(
                "dataset.audio and dataset.video are not read from shards; unpack them and use dataset=table"
            )
        if self.id is not None:
            raise ValueError(f"dataset.id={self.id} cannot be chosen: the ids of a shard are its keys; leave it null")
        patterns = [p for p in (self.train_shards, self.test_shards) if p is not None]
        for pattern in patterns:
            if ".." in PurePosixPath(pattern).parts or pattern.startswith("/") or not pattern.endswith(".tar"):
                raise ValueError(f"dataset shards {pattern!r} must be a pattern of .tar files inside dataset.root")

    def located(self, data_dir: Path) -> list[Path]:
        """Return the shards."""
        return [path for path, _ in self._shards(data_dir)]

    def files(self, data_dir: Path) -> list[Path]:
        """Return the shards of the training part and of the test part, sorted by name."""
        return self.located(data_dir)

    def load(self, data_dir: Path) -> Samples:
        """Read the headers of the shards; contents are read when they are asked for."""
        samples, notes = self._samples(data_dir)
        payloads: dict[str, Sequence[Any]] = {}
        if self.image is not None:
            payloads["image"] = _images([sample.member(self.image) for sample in samples], self.window)
        if "text" in self.modalities:
            payloads["text"] = [self._text(sample) for sample in samples]
        parts = np.array([sample.split for sample in samples])

        def where(row: int) -> str:
            return f"{next(iter(samples[row].members.values())).shard}, key {samples[row].key!r}"

        return self.assemble(
            payloads,
            labels=None if self.label is None else [_value(sample, self.label)[0] for sample in samples],
            splits=parts if self.test_shards is not None else None,
            ids=np.array([sample.key for sample in samples]),
            groups={
                name: np.array(texts([_value(each, name)[0] for each in samples], where, name, names=True))
                for name in self.groups
            },
            where=where,
            notes=notes,
        )

    def _samples(self, data_dir: Path) -> tuple[list[_Sample], list[str]]:
        """Return the samples of all shards, and what was left out or found out.

        Where some sample lacks a member, and none does with the last dot of a name before the extension instead of the
        first, it is the last dot that counts.
        """
        shards = self._shards(data_dir)
        fields = [f for f in (self.image, self.text, self.label, *self.captions, *self.groups) if f is not None]
        wanted = [set(each.partition(":")[0].split(";")) for each in fields]

        def whole(found: list[_Sample]) -> bool:
            return bool(found) and all(needed & set(each.members) for each in found for needed in wanted)

        read, hidden = _used([read_shard(path, split) for path, split in shards], wanted)
        notes = [f"{hidden} other members of the shards left out"] if hidden else []
        if whole(read) or not any("." in extension for each in read for extension in each.members):
            return read, notes
        try:
            other, _ = _used([read_shard(path, split, last_dot=True) for path, split in shards], wanted)
        except ValueError:
            return read, notes
        return (other, [*notes, "keys of the shards end at the last dot of a name"]) if whole(other) else (read, notes)

    def _shards(self, data_dir: Path) -> list[tuple[Path, str]]:
        folder = self.local_root(data_dir, lambda name: name.endswith(".tar"))
        if not folder.is_dir():
            raise FetchError(
                f"dataset={self.name}: {folder} is not there; point dataset.root at the folder of the shards"
            )
        patterns = [(self.train_shards, TRAIN), *([(self.test_shards, TEST)] if self.test_shards is not None else [])]
        found: list[tuple[Path, str]] = []
        for pattern, split in patterns:
            paths = sorted(folder.glob(pattern))
            if not paths:
                packed = " (compressed shards have to be unpacked)" if list(folder.glob("*.tar.*")) else ""
                raise FetchError(f"dataset={self.name}: {folder} holds no shards {pattern}{packed}")
            found.extend((path, split) for path in paths)
        twice = {path for path, split in found if split == TRAIN} & {path for path, split in found if split == TEST}
        if twice:
            raise ValueError(
                f"dataset.train_shards={self.train_shards} and dataset.test_shards={self.test_shards} both take "
                f"{min(twice).name}"
            )
        return found

    def _text(self, sample: _Sample) -> Any:
        if self.text is not None:
            value, member = _value(sample, self.text)
            if not isinstance(value, str) or not (value.strip() or self.on_error == "skip"):
                raise ValueError(f"{member}: expected a text, found {value!r}")
            return value
        captions: list[str] = []
        for each in self.captions:
            value, member = _value(sample, each)
            listed = value if isinstance(value, list) else (isinstance(value, str) and caption_list(value)) or [value]
            if not listed or not all(isinstance(text, str) and text.strip() for text in listed):
                raise ValueError(f"{member}: expected captions, none empty, found {value!r}")
            captions.extend(listed)
        return tuple(captions)


def _used(shards: list[list[_Sample]], wanted: list[set[str]]) -> tuple[list[_Sample], int]:
    """Return the samples that have a member that is wanted, and how many members of others there are."""
    needed = set().union(*wanted)
    samples = [sample for shard in shards for sample in shard]
    used = [sample for sample in samples if needed & set(sample.members) or any("." in m for m in sample.members)]
    if not used:
        return samples, 0
    kept = {id(sample) for sample in used}
    return used, sum(len(sample.members) for sample in samples if id(sample) not in kept)


def read_shard(path: Path, split: str, *, last_dot: bool = False) -> list[_Sample]:
    """Read the headers of a shard; members of a key need not stand side by side, and extensions count in small letters.

    Args:
        path: of the shard.
        split: part that it belongs to.
        last_dot: keys end at the last dot of a name, not at the first.

    Raises:
        ValueError: the shard is damaged or compressed, holds a link, a device or a name that leaves the folder, or a key
            comes twice.
    """
    samples: dict[str, _Sample] = {}
    length = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as tar:
            for entry in tar:
                if entry.isdir() or PurePosixPath(entry.name).name.startswith("."):
                    continue
                member = _checked(path, entry, length)
                name = PurePosixPath(entry.name)
                base, _, extension = name.name.rpartition(".") if last_dot else name.name.partition(".")
                key = str(name.with_name(base or extension))
                extension = extension.lower() if base else ""
                if wrong := wrong_name(key):
                    raise ValueError(f"{path}: the name of a member {wrong}")
                members = samples.setdefault(key, _Sample(key, split, {})).members
                if extension in members:
                    raise ValueError(f"{member}: the sample {key!r} has two members {extension}")
                members[extension] = member
    except MemoryError as error:
        raise ValueError(f"{path} is not a whole tar file: a header declares more than the memory holds") from error
    except (tarfile.TarError, UnicodeError, EOFError, OverflowError) as error:
        raise ValueError(f"{path} is not a whole tar file: {error}; shards must not be compressed") from error
    if not samples:
        raise ValueError(f"{path} holds no samples")
    return list(samples.values())


def _checked(path: Path, entry: tarfile.TarInfo, length: int) -> _Member:
    name = PurePosixPath(entry.name)
    if not entry.isreg() or entry.issparse():
        raise ValueError(f"{path}, member {entry.name} is a link, a device or sparse; only plain files are read")
    if name.is_absolute() or ".." in name.parts:
        raise ValueError(f"{path}, member {entry.name}: the name leaves the folder of the shard")
    if entry.offset_data + entry.size > length:
        raise ValueError(f"{path}, member {entry.name} is cut short: the shard ends before it does")
    return _Member(path, entry.name, entry.offset_data, entry.size)


def _images(members: list[_Member], depth: Depth | None) -> EncodedImages:
    return EncodedImages(len(members), lambda row: (members[row].read(), str(members[row])), depth)


def _value(sample: _Sample, field: str) -> tuple[Any, _Member]:
    """Return the text of a member, or the value in a JSON member that ``"json:key"`` names."""
    extension, _, key = field.partition(":")
    member = sample.member(extension)
    try:
        text = member.read().decode("utf-8")
        if not key:
            return text, member
        content = json.loads(text)
    except ValueError as error:
        raise UnreadableMedia(f"{member}: {error}") from error
    if not isinstance(content, dict) or key not in content:
        raise ValueError(f"{member}: there is no value {key!r}")
    return content[key], member

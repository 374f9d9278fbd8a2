"""Reading back what an offline run of Weights & Biases has written; no account is needed.

A run is a log in the format of LevelDB: blocks of 32 KiB, each record with a checksum, a length and a type.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from wandb.proto import wandb_internal_pb2

HEADER = 7
BLOCK = 32_768


@dataclass(frozen=True, kw_only=True)
class LoggedArtifact:
    """An artifact of a run: name, type, metadata, and where its files lie."""

    name: str
    kind: str
    metadata: dict[str, Any]
    files: dict[str, Path]


@dataclass(kw_only=True)
class OfflineRun:
    """What an offline run holds.

    Attributes:
        path: the ``.wandb`` file.
        exit_code: None for a run that never ended.
        history: what was logged, step by step.
    """

    path: Path
    id: str = ""
    name: str = ""
    group: str = ""
    tags: tuple[str, ...] = ()
    exit_code: int | None = None
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[LoggedArtifact] = field(default_factory=list)


def offline_runs(folder: Path) -> list[Path]:
    """Return the files of all offline runs below a folder, the oldest first."""
    return sorted(folder.rglob("offline-run-*/run-*.wandb"), key=lambda path: path.parent.name)


def read_run(path: Path) -> OfflineRun:
    """Read an offline run.

    Raises:
        ValueError: the file is no log of wandb, or a damaged one.
    """
    messages: Any = wandb_internal_pb2
    run = OfflineRun(path=path)
    for content in _records(path.read_bytes(), path):
        record = messages.Record()
        try:
            record.ParseFromString(content)
        except DecodeError as error:
            raise ValueError(f"{path} is no log of wandb, or a broken one: {error}") from error
        _apply(run, record)
    return run


def _apply(run: OfflineRun, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        run.id, run.name, run.group = record.run.run_id, record.run.display_name, record.run.run_group
        run.tags = tuple(record.run.tags)
        run.config.update(_items(record.run.config.update))
    elif kind == "config":
        run.config.update(_items(record.config.update))
    elif kind == "summary":
        run.summary.update(_items(record.summary.update))
    elif kind == "history":
        run.history.append(_items(record.history.item))
    elif kind == "artifact":
        run.artifacts.append(_artifact(run.path.parent, record.artifact))
    elif kind == "exit":
        run.exit_code = record.exit.exit_code


def _items(items: Any) -> dict[str, Any]:
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def _artifact(folder: Path, record: Any) -> LoggedArtifact:
    """Name the files of an artifact in the folder of the run, wherever that lies now; no other file is ever read."""
    staging = folder / "artifacts" / "staging"
    files = {entry.path: staging / Path(entry.local_path).name for entry in record.manifest.contents}
    metadata = json.loads(record.metadata) if record.metadata else {}
    return LoggedArtifact(name=record.name, kind=record.type, metadata=metadata, files=files)


def _records(content: bytes, path: Path) -> Iterator[bytes]:
    """Yield the records of a log whose first block begins with a header of wandb's own; it may end within one.

    Raises:
        ValueError: a record has another checksum.
    """
    position, whole = HEADER, b""
    while position + HEADER <= len(content):
        if BLOCK - position % BLOCK < HEADER:
            position += BLOCK - position % BLOCK
            continue
        checksum, length, kind = struct.unpack_from("<IHB", content, position)
        part = content[position + HEADER : position + HEADER + length]
        if len(part) < length:
            return
        if zlib.crc32(part, zlib.crc32(bytes([kind]))) != checksum:
            raise ValueError(f"{path} is damaged: the record at byte {position} has another checksum")
        whole += part
        position += HEADER + length
        if kind in (1, 4):  # a full record, or the last part of one
            yield whole
            whole = b""

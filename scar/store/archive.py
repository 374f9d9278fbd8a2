"""A small artefact in one file: an uncompressed zip archive of its folder."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from scar.common.files import DELETE_IT, PASSING, CorruptArtefactError

BEGINNING = b"PK\x03\x04"
"""Of every archive that `pack` writes."""
_FLIPPED = (BadZipFile, EOFError, KeyError, NotImplementedError, OSError, RuntimeError, ValueError, struct.error)
# What zipfile raises for an archive with a flipped bit.


def pack(folder: Path, path: Path) -> None:
    """Write the files of a folder into an archive."""
    with ZipFile(path, "w", ZIP_STORED) as archive:
        for each in sorted(folder.rglob("*")):
            if each.is_file():
                archive.writestr(ZipInfo(each.relative_to(folder).as_posix()), each.read_bytes())


def members(path: Path) -> dict[str, int]:
    """Return the bytes that each file of an archive has, by its name.

    Raises:
        CorruptArtefactError: it is no archive, or none that `pack` writes.
    """
    with _opened(path) as archive:
        return _sizes(archive, path)


def contents(path: Path, *names: str) -> dict[str, bytes]:
    """Return what files of an archive hold, by name: some of them, or all.

    Raises:
        CorruptArtefactError: it cannot be read, or one of them is missing.
    """
    with _opened(path) as archive:
        return {name: archive.read(name) for name in names or _sizes(archive, path)}


@contextmanager
def as_folder(path: Path) -> Iterator[Path]:
    """Yield the folder of an artefact; that of an archive lasts as long as the block.

    Raises:
        CorruptArtefactError: the archive cannot be read.
    """
    if not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="scar-") as name:
        for member, content in contents(path).items():
            file = Path(name, member)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        yield Path(name)


@contextmanager
def _opened(path: Path) -> Iterator[ZipFile]:
    try:
        with ZipFile(path) as archive:
            yield archive
    except CorruptArtefactError:
        raise
    except _FLIPPED as error:
        if isinstance(error, OSError) and error.errno in PASSING:
            raise
        raise CorruptArtefactError(f"{path} cannot be read: {error!r}{DELETE_IT}") from error


def _sizes(archive: ZipFile, path: Path) -> dict[str, int]:
    found = {each.filename: each.file_size for each in archive.infolist()}
    if len(found) != len(archive.infolist()) or any(map(_is_foreign, archive.infolist())):
        raise CorruptArtefactError(f"{path} holds what no artefact holds{DELETE_IT}")
    return found


def _is_foreign(member: ZipInfo) -> bool:
    parts = PurePosixPath(member.filename)
    leaves = parts.is_absolute() or ".." in parts.parts or "\\" in member.filename
    return leaves or member.is_dir() or member.compress_type != ZIP_STORED or member.file_size != member.compress_size

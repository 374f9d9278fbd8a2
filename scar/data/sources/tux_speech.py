"""Tux speech: spoken descriptions of Tux Paint's stamps in several languages, with what is said."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scar.data.fetch import Origin, obtain
from scar.data.media import AudioFile
from scar.data.package_origins import debian_package
from scar.data.samples import Samples
from scar.data.source import Source
from scar.data.sources._annotations import Captions
from scar.data.sources._listing import listing
from scar.data.sources._pairs import draw_group_test_part, large_classes, make_pairs

LANGUAGES = ("be", "bg", "ca", "da", "el", "en", "es", "fr", "ml", "nl", "ro", "ru")
_SPEECH = re.compile(r"(?P<stamp>.+)_desc(_(?P<language>[a-z]{2}))?\.ogg")
_WORD = re.compile(r"\w+")
_PACKAGE = "tuxpaint-stamps-default"
_INSTALLED = Path("/usr/share/tuxpaint/stamps")


@dataclass(frozen=True, kw_only=True)
class TuxSpeech(Source):
    """Ogg files ``<stamp>_desc_<language>.ogg`` (no language: English) with the line of that language in ``<stamp>.txt``.

    The test part is drawn by English description, which several stamps may share, often with one recording: all languages
    and all stamps of a description are on one side.

    Attributes:
        languages: those that are read.
        captions: ``"spoken"``, what is said; ``"english"``, the same in English; or ``"both"``, as two captions.
        label: ``"language"``, or ``"category"``, the folder of the stamp.
        test_fraction: share of the descriptions that forms the test part.
        min_class_size: smallest class that is kept.
    """

    name: str = "tux_speech"
    languages: tuple[str, ...] = ("be", "bg", "ca", "da", "el", "en", "es", "fr", "ro", "ru")
    captions: str = "spoken"
    label: str = "language"
    test_fraction: float = 0.2
    min_class_size: int = 50

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "languages", tuple(sorted(set(self.languages))))
        if not self.languages or not set(self.languages) <= set(LANGUAGES):
            raise ValueError(f"dataset.languages={list(self.languages)} must be some of {', '.join(LANGUAGES)}")
        if self.captions not in ("spoken", "english", "both"):
            raise ValueError(f"dataset.captions={self.captions!r} is unknown; use spoken, english or both")
        if self.label not in ("category", "language"):
            raise ValueError(f"dataset.label={self.label!r} is unknown; use category or language")
        self._require_share("test_fraction")
        self._require_least("min_class_size", 2)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Speech and what is said."""
        return ("audio", "text")

    def located(self, data_dir: Path) -> list[Path]:
        """Return the folder of the stamps: a local copy, or that of the Debian package."""
        if self.root is not None:
            root = Path(self.root).expanduser()
            folder = root / "stamps" if (root / "stamps").is_dir() else root
            if not folder.is_dir():
                raise FileNotFoundError(
                    f"dataset.root={self.root} is not a folder; point it at the stamps of Tux Paint"
                )
            return [folder]
        if _INSTALLED.is_dir() and not (data_dir / self.name).is_dir():
            return [_INSTALLED]
        return obtain(data_dir / self.name, ["stamps"], [_speech_of_package()], dataset=self.name)

    def files(self, data_dir: Path) -> list[Path]:
        """Return a listing of the sounds and the texts."""
        (folder,) = self.located(data_dir)
        names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.suffix in (".ogg", ".txt")]
        return [listing(folder, names, data_dir)]

    def load(self, data_dir: Path) -> Samples:
        """Read the pairs; ids are paths such as ``food/fruit/apple_desc_fr.ogg``.

        Group columns: ``description``, ``stamp`` and ``language``.
        """
        (folder,) = self.located(data_dir)
        spoken, unpaired = _find_speech(folder, self.languages, self.captions)
        values = [each.category if self.label == "category" else each.language for each in spoken]
        known = sorted(set(values))
        labels = np.array([known.index(value) for value in values], np.int64)
        rows, labels, names, notes = large_classes(labels, known, self.min_class_size)
        kept = [spoken[row] for row in rows]
        groups = {
            "description": np.array([each.description for each in kept]),
            "stamp": np.array([each.stamp for each in kept]),
            "language": np.array([each.language for each in kept]),
        }
        class_of_group = labels if self.label == "category" else None
        return make_pairs(
            self,
            ids=[str(each.path.relative_to(folder)) for each in kept],
            payloads={"audio": [AudioFile(each.path) for each in kept], "text": [each.captions for each in kept]},
            splits=draw_group_test_part(groups["description"], class_of_group, self.test_fraction, self.seed),
            labels=labels,
            class_names=names,
            groups=groups,
            notes=[*notes, *([f"sounds without a text left out: {unpaired}"] if unpaired else [])],
        )


@dataclass(frozen=True, kw_only=True)
class _Speech:
    path: Path
    stamp: str
    description: str
    language: str
    captions: Captions

    @property
    def category(self) -> str:
        return self.stamp.partition("/")[0]


def _find_speech(folder: Path, languages: tuple[str, ...], wanted: str) -> tuple[list[_Speech], str]:
    """Return what is spoken in some languages, sorted by path, and how many sounds of each have no text."""
    found: list[_Speech] = []
    unpaired: Counter[str] = Counter()
    for path in sorted(folder.rglob("*_desc*.ogg")):
        match = _SPEECH.fullmatch(path.name)
        language = (match["language"] or "en") if match else ""
        if match is None or language not in languages:
            continue
        text = path.with_name(f"{match['stamp']}.txt")
        texts = _texts(text) if text.is_file() else {}
        keys = {"spoken": (language,), "english": ("en",), "both": tuple(dict.fromkeys((language, "en")))}[wanted]
        if not all(texts.get(key) for key in keys):
            unpaired[language] += 1
            continue
        stamp = str(text.relative_to(folder).with_suffix(""))
        captions = tuple(texts[key] for key in keys)
        description = " ".join(_WORD.findall(texts.get("en", "").casefold())) or stamp
        found.append(_Speech(path=path, stamp=stamp, description=description, language=language, captions=captions))
    if not found:
        raise ValueError(f"{folder} holds no spoken descriptions (<stamp>_desc_<language>.ogg) with a text beside them")
    return found, ", ".join(f"{unpaired[language]} {language}" for language in sorted(unpaired))


def _texts(path: Path) -> dict[str, str]:
    """Return the texts of a stamp by language: the first line is English, the others begin with ``xx.utf8=``."""
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start + 1} is not UTF-8 ({error.reason})") from error
    first, *others = [line.strip() for line in content.splitlines()] or [""]
    pairs = (line.partition(".utf8=") for line in others)
    return {"en": first, **{language: text.strip() for language, separator, text in pairs if separator}}


def _speech_of_package() -> Origin:
    """Return the origin of the Debian package, without its pictures."""
    package = debian_package(_PACKAGE, "usr/share/tuxpaint")

    def fetch(target: Path) -> None:
        package.fetch(target)
        for path in (target / "stamps").rglob("*"):
            if path.is_file() and path.suffix not in (".ogg", ".txt"):
                path.unlink()

    return Origin(package.name, fetch)

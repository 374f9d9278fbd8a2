"""The facts of a dataset card as Croissant JSON-LD (http://mlcommons.org/croissant/1.0), readable by machines."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from scar import __version__
from scar.reporting.formats.card import Card

CONFORMS_TO = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0")
CR_TERMS = (
    *("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty", "fileObject", "fileSet", "format"),
    *("includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex"),
    *("repeated", "replace", "samplingRate", "separator", "source", "subField", "transform"),
)
"""Words of the vocabulary that the standard context maps one to one."""
DESCRIPTIONS = {
    "sizes": "Samples by part of the data, the mean over seeds.",
    "measures": "Scale, Coverage, Authenticity and Richness of all training data by estimator; low and high over seeds.",
    "indicators": "Indicators that follow from the class sizes alone, the mean over seeds.",
    "foundation": "Foundation Data Size in samples by training set and estimator, with its interval.",
    "classes": "Sizes, measures of the primary set, need and planned additions by class, for one seed.",
    "labels": "Test scores of the primary set by label, where a sample may carry several, and what the largest plan brings.",
}


def context() -> dict[str, Any]:
    """Return the standard ``@context`` of Croissant."""
    names: dict[str, Any] = {name: f"cr:{name}" for name in CR_TERMS}
    names |= {"@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/"}
    names |= {"cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/"}
    names |= {"dct": "http://purl.org/dc/terms/", "conformsTo": "dct:conformsTo"}
    names |= {name: {"@id": f"cr:{name}", "@type": "@json"} for name in ("data", "examples")}
    return {**names, "dataType": {"@id": "cr:dataType", "@type": "@vocab"}}


def render_croissant(card: Card, folder: Path) -> str:
    """Return a card as JSON-LD.

    Args:
        card: the facts.
        folder: where the file will lie; plan files are named relative to it.
    """
    name = "-".join(str(value) for value in card.group.values() if value)
    sentences = [sentence for _, sentence in card.answers.decision.items()]
    sentences += [sentence for _, found in card.answers.items() for sentence in found]
    document: dict[str, Any] = {
        "@context": context(),
        "@type": "sc:Dataset",
        "name": name,
        "description": " ".join([card.about.description or f"{card.title}, characterized by SCAR.", *sentences]),
        "conformsTo": list(CONFORMS_TO),
        "version": "1.0.0",
        "datePublished": card.date,
        "license": card.about.license,
        "url": card.about.url,
        "citeAs": card.about.cite_as,
        "rai:dataLimitations": [caveat.what for caveat in card.caveats] or None,
        "rai:dataPreprocessingProtocol": _protocol(card),
        "distribution": [_file(path, folder) for path in card.plans],
        "recordSet": [_records(name, frame) for name, frame in card.tables.items() if len(frame)],
    }
    known = {key: value for key, value in document.items() if value is not None}
    return json.dumps(known, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _protocol(card: Card) -> list[str]:
    """How the facts were made: commands, options, seeds, versions."""
    return [
        *card.commands,
        *(f"{name}: {option}" for name, option in card.settings.items()),
        f"seeds: {', '.join(map(str, card.seeds))}; plan and classes: seed {card.seed}; needs: {card.driver}",
        f"written by scar {__version__}",
        *(f"{package} {number}" for package, number in card.versions.items()),
    ]


def _file(path: Path, folder: Path) -> dict[str, Any]:
    data = path.read_bytes()
    identity = f"{path.parent.name}/{path.name}"
    return {
        "@type": "cr:FileObject",
        "@id": identity,
        "name": identity,
        "description": "A plan: sample ids to add, with class, reason and cost.",
        "contentUrl": Path(os.path.relpath(path, folder)).as_posix(),
        "contentSize": f"{len(data)} B",
        "encodingFormat": "text/csv",
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def _records(name: str, frame: pd.DataFrame) -> dict[str, Any]:
    """Return a table as a record set that holds its data."""
    columns = [str(column) for column in frame.columns]
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{column}",
            "name": column,
            "description": column.replace("_", " "),
            "dataType": _type(frame[column]),
        }
        for column in columns
    ]
    rows = [
        {f"{name}/{column}": _plain(value) for column, value in zip(columns, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": DESCRIPTIONS[name],
        "field": fields,
        "data": rows,
    }


def _type(values: Iterable[Any]) -> str:
    return "sc:Text" if any(isinstance(value, str) for value in values) else "sc:Float"


def _plain(value: Any) -> Any:
    """Return what JSON can hold; what is undefined or infinite is null, and `state` or `need_flag` says which."""
    if isinstance(value, str):
        return value
    return float(value) if math.isfinite(value) else None

"""What one's data are before anything is trained: classes, parts, odd names, unreadable samples, duplicates, lengths, cost."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hydra.errors import HydraException

from scar.commands._findings import print_findings
from scar.common.console import console, escape
from scar.common.extras import told
from scar.common.randomness import generator
from scar.config.nodes import make_target
from scar.data.blank import blank_rows
from scar.data.paths import data_folder
from scar.data.samples import POOL, TEST, TRAIN, Samples
from scar.data.stratify import count_labels
from scar.data.unreadable import find_unreadable
from scar.sweep.hydra_internals import packaged_configuration

if TYPE_CHECKING:
    from scar.data.source import Source
    from scar.encoders.encoder import Encoder

TRIED = 500
"""Images, sounds and videos that are read, drawn at random; ``--every`` reads them all."""
_SHOWN = 20


def check(
    overrides: Sequence[str], *, data_dir: str | None, store: str, every: bool = False, as_json: bool = False
) -> int:
    """Print what the data are; returns the exit code: 0 where a run would take them, else 1.

    Args:
        overrides: as those of ``scar``.
        data_dir: of fetched data.
        store: folder where earlier embeddings show what the encoder costs.
        every: read every sample, instead of some.
        as_json: print one JSON object.
    """
    try:
        found = examine_data(overrides, data_folder(data_dir), Path(store), every=every)
    except (OSError, ValueError, RuntimeError, ImportError, HydraException) as error:
        found = {"ok": False, "error": told(error) if isinstance(error, ImportError) else str(error)}
    return print_findings(found, _show, as_json=as_json)


def examine_data(overrides: Sequence[str], data_dir: Path, store: Path, *, every: bool) -> dict[str, Any]:
    """Return everything that the command says, as plain values.

    Raises:
        ValueError: the data, or the overrides, are refused; the message says why.
        FileNotFoundError: the data are not there.
    """
    source, encoder = _made(overrides)
    samples = source.load(data_dir)
    rows = np.arange(len(samples))
    if not every and len(samples) > TRIED and set(samples.payloads) - {"text", "embedding"}:
        rows = np.sort(generator(0, "check").permutation(len(samples))[:TRIED])
    tried = samples.take(rows)
    unreadable = find_unreadable(tried)
    share = len({each.id for each in unreadable}) / len(rows)
    allowed = source.max_unreadable if source.on_error == "skip" else 0.0
    readable = tried.take(np.flatnonzero(~np.isin(tried.ids, [each.id for each in unreadable])))
    found = {
        "ok": share <= allowed,
        "dataset": source.name,
        "encoder": encoder.name,
        "samples": len(samples),
        "modalities": list(samples.payloads),
        "parts": {part: size for part in (TRAIN, TEST, POOL) if (size := int((samples.splits == part).sum()))},
        "classes": _classes(samples),
        "groups": {name: len(np.unique(column)) for name, column in samples.groups.items()},
        "notes": list(samples.notes),
        "tried": len(rows),
        "unreadable": [vars(each) for each in unreadable],
        "duplicates": _duplicates(samples if len(rows) == len(samples) else readable),
        "sizes": {name: _sizes(name, payload) for name, payload in readable.payloads.items()},
        "texts_against_encoder": _against(encoder, readable),
        "cost": _cost(encoder, store, len(samples)),
        "next": shlex.join(["scar", *overrides]),
    }
    return {**found, "warnings": _warnings(found)}


def _made(overrides: Sequence[str]) -> tuple[Source, Encoder]:
    with packaged_configuration() as compose:
        composed = compose("config", list(overrides))
        return make_target(composed.dataset, "dataset"), make_target(composed.encoder, "encoder")


def _classes(samples: Samples) -> list[dict[str, Any]]:
    if samples.labels is None:
        return []
    sizes = {
        part: count_labels(samples.labels[samples.splits == part], len(samples.class_names)) for part in (TRAIN, TEST)
    }
    return [
        {"name": name, **{part: int(sizes[part][k]) for part in sizes}} for k, name in enumerate(samples.class_names)
    ]


def _duplicates(samples: Samples) -> dict[str, Any]:
    from scar.data.duplicates import content_hashes, exact_duplicates
    from scar.data.undecoded import undecoded

    try:
        found = exact_duplicates(samples, hashes=content_hashes(undecoded(samples)))
    except OSError as error:
        return {"text": f"not looked for: {error}"}
    return {
        "text": str(found),
        "within_train": found.within_train,
        "within_test": found.within_test,
        "across": list(found.across),
        "conflicting": found.conflicting,
        "looked_at": len(samples),
    }


def _sizes(modality: str, payload: Sequence[Any]) -> dict[str, Any]:
    """Return what is measured of the payloads of a modality: least, median and most."""
    if modality == "text":
        from scar.encoders.text_lengths import texts_of

        lengths = [len(text) for text in texts_of(payload)]
        return {"characters": _spread(lengths)}
    if modality == "image":
        shapes = [np.asarray(image).shape[:2] for image in payload]
        sizes = {"height": _spread([s[0] for s in shapes]), "width": _spread([s[1] for s in shapes])}
        return {**sizes, "one colour": len(blank_rows(payload))}
    if modality == "audio":
        seconds = [len(sound.read(8000)) / 8000 for sound in payload]
        return {"seconds": _spread(seconds), "silent": len(blank_rows(payload))}
    return {}


def _spread(values: Sequence[float]) -> list[float]:
    return [round(float(np.quantile(values, q)), 2) for q in (0, 0.5, 1)] if len(values) else []


def _against(encoder: Encoder, samples: Samples) -> dict[str, Any]:
    """Return how many tokens the texts have and how many the encoder reads; nothing where that is not known."""
    from scar.encoders.text_lengths import text_lengths, texts_of

    if "text" not in samples.payloads or "text" not in encoder.modalities or not len(samples):
        return {}
    items = [samples.payloads["text"][row] for row in range(len(samples))]
    texts = texts_of(items)
    known = text_lengths(encoder.towers()["text"], texts)
    if known is None:
        return {}
    tokens, limit = known
    return {
        "tokens": _spread(tokens.tolist()),
        "limit": limit,
        "truncated_share": round(float((tokens > limit).mean()), 4),
    }


def _cost(encoder: Encoder, store: Path, size: int) -> dict[str, Any]:
    """Return seconds and bytes of the embeddings, by what the encoder has cost before; nothing where it has not."""
    from scar.job.costs import stored_encoder

    known = stored_encoder(encoder, store)
    if known is None:
        return {}
    return {"seconds": round(known.seconds * size, 1), "mebibytes": round(4 * known.dimension * size / 2**20, 1)}


def _warnings(found: dict[str, Any]) -> list[str]:
    """Return what should be looked at before a run."""
    said = list(found["notes"])
    sizes = found["sizes"]
    small = [each["name"] for each in found["classes"] if each[TRAIN] < _FEW]
    untested = [each["name"] for each in found["classes"] if not each[TEST]]
    if small:
        said.append(f"{len(small)} classes have fewer than {_FEW} training samples: {_few(small)}")
    if untested:
        said.append(f"{len(untested)} classes have no test sample: {_few(untested)}")
    if found["duplicates"].get("across"):
        said.append(found["duplicates"]["text"])
    if found["unreadable"]:
        ids = {each["id"] for each in found["unreadable"]}
        said.append(f"{len(ids)} of {found['tried']} samples that were tried cannot be read (dataset.on_error=skip)")
    if sizes.get("audio", {}).get("silent"):
        said.append(f"{sizes['audio']['silent']} sounds are silent")
    if sizes.get("image", {}).get("one colour"):
        said.append(f"{sizes['image']['one colour']} pictures have one colour")
    if found["texts_against_encoder"].get("truncated_share"):
        known = found["texts_against_encoder"]
        said.append(
            f"{100 * known['truncated_share']:g} % of the texts are longer than the {known['limit']} tokens that "
            f"encoder={found['encoder']} reads; the rest of them does not count"
        )
    return said


_FEW = 10


def _few(names: Sequence[str]) -> str:
    return "; ".join(names[:5]) + ("; …" if len(names) > 5 else "")


def _show(found: dict[str, Any]) -> None:
    def say(name: str, text: str) -> None:
        console().print(f"[bold]{name:<12}[/]{escape(text)}")

    say("dataset", f"{found['dataset']}: {found['samples']} samples of {' + '.join(found['modalities'])}")
    say("parts", ", ".join(f"{part} {count}" for part, count in found["parts"].items()))
    if found["classes"]:
        shown = [f"{each['name']}: {each[TRAIN]} + {each[TEST]}" for each in found["classes"][:_SHOWN]]
        more = f"; … and {len(found['classes']) - _SHOWN} more" if len(found["classes"]) > _SHOWN else ""
        say("classes", f"{len(found['classes'])} (train + test): {'; '.join(shown)}{more}")
    for name, count in found["groups"].items():
        say("groups", f"{name}: {count}")
    for modality, values in found["sizes"].items():
        for what, value in values.items():
            spread = isinstance(value, list)
            said = f"{value[0]:g} to {value[2]:g}, median {value[1]:g}" if spread and value else str(value)
            say(modality, f"{what} {said}")
    say("tried", f"{found['tried']} samples, {len(found['unreadable'])} payloads unreadable")
    for each in found["unreadable"][:_SHOWN]:
        say("", f"{each['id']} ({each['modality']}): {each['reason']}")
    say("duplicates", f"{found['duplicates']['text']} ({found['duplicates'].get('looked_at', 0)} samples looked at)")
    cost = found["cost"]
    told_cost = f"{cost['seconds']:g} s of embedding, {cost['mebibytes']:g} MiB" if cost else ""
    say("cost", told_cost or f"encoder={found['encoder']} has embedded nothing here yet: scar-admin cost measures it")
    for warning in found["warnings"]:
        console().print(f"[yellow]{'look at':<12}[/]{escape(warning)}")
    say("next", found["next"])

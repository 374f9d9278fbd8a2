"""Writes the report of a study into its folder, once per state of its jobs."""

from __future__ import annotations

import fnmatch
import gc
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scar import __version__
from scar.common.files import checksum, replacing
from scar.common.locks import holding
from scar.common.spreadsheets import harmless_frame
from scar.evaluation.scores import LEADING
from scar.reporting.settings import CARDS, EQUIVALENCE_MARGIN, FORMATS, PAIRED, Tolerances
from scar.store.code import sources

if TYPE_CHECKING:
    from rich.console import Console

    from scar.reporting.content import Content
    from scar.reporting.settings import CardConfig

INPUTS = (
    *(
        "rows.parquet",
        "predictions.npz",
        "status.json",
        "config.yaml",
        "plan-*.csv",
        "to-label-*.csv",
        "shopping-*.csv",
    ),
    *("inspection.csv", "effects.csv", "map.npz", "slices.csv"),
)
RECORD = "report.json"
STAGED, READY, LOCK = ".report", ".report-ready", ".report.lock"
"""In the folder of a study: a report that is being written, one that is whole, and the lock of who writes."""


def write_report(
    study_folder: Path | str | Sequence[Path | str],
    *,
    output: Path | str | None = None,
    estimator: str | None = None,
    level: float = 0.95,
    margin: float = EQUIVALENCE_MARGIN,
    resamples: int = 2000,
    details: int = 8,
    cards: int = CARDS,
    paired: int = PAIRED,
    where: Mapping[str, Any] | None = None,
    tolerances: Tolerances | None = None,
    against: Path | str | None = None,
    formats: Sequence[str] = FORMATS,
    force: bool = False,
    card: CardConfig | None = None,
    console: Console | None = None,
) -> dict[str, Path]:
    """Write report.html, tables, figures, cards and deviations.md; reuse them if no job, setting or code changed.

    Args:
        study_folder: one study folder, or several to report as one.
        output: where to write; the study folder if there is one, needed for several.
        estimator: for the set-level measures; the driver of the plans if None.
        level: of all intervals.
        margin: largest difference of two scores that counts as none.
        resamples: of the bootstrap of rank agreement.
        details: how many groups get a section and figures of their own.
        cards: how many groups get a card; of more, the first.
        paired: encoders that are compared pair by pair; of more, the best ones.
        where: axis → value: keep these rows only.
        tolerances: within which ours passes as the published value.
        against: folder of an earlier version of the same data, see `scar.job.data_versions.find_version`.
        formats: of the figure files: svg, png, pdf.
        force: write again even if nothing changed.
        card: what the owner of the dataset adds to its card.
        console: prints the summary if given.

    Returns:
        File name → path, ``"report.html"`` among them.

    Raises:
        FileNotFoundError: no job.
        ValueError: several studies without `output`; an unknown axis in `where`; no finished job.
    """
    given = [study_folder] if isinstance(study_folder, str | Path) else study_folder
    folders = [Path(folder) for folder in given]
    if output is None and len(folders) != 1:
        raise ValueError(f"output=None: say where the report on {len(folders)} studies goes")
    target = folders[0] if output is None else Path(output)
    settings: dict[str, Any] = {"estimator": estimator, "level": level, "margin": margin}
    settings |= {
        "resamples": resamples,
        "details": details,
        "cards": cards,
        "paired": paired,
        "card": asdict(card) if card else {},
        "where": dict(where or {}),
        "formats": list(formats),
        "folders": [f.name for f in folders],
    }
    settings |= {"tolerances": tolerances or Tolerances(), "against": against}
    digest = _digest([*folders, *([Path(against)] if against else [])], settings)
    if (target / READY).is_dir():
        with holding(target / LOCK):
            _publish(target)
    paths = None if force else _reusable(target, digest)
    if paths is None:
        with _collected_once():
            content = _gather(folders, settings, formats)
            documents = _documents(content, formats) | _cards(content, card, target)
        paths = _write_all(target, documents, digest)
    if console is not None:
        console.print(paths["report.txt"].read_text(encoding="utf-8"), markup=False, highlight=False, end="")
    return paths


@contextmanager
def _collected_once() -> Iterator[None]:
    """Keep the collector of cycles still, but for what is drawn: it would walk everything again and again."""
    was_enabled, frozen = gc.isenabled(), gc.get_freeze_count()
    gc.disable()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()
        if was_enabled:
            gc.enable()


def _gather(folders: Sequence[Path], settings: Mapping[str, Any], formats: Sequence[str]) -> Content:
    from scar.reporting.content import gather
    from scar.reporting.study_folder import load_study

    study = load_study(folders, settings["where"])
    if study.rows.empty:
        states = ", ".join(sorted({str(job.status.get("status")) for job in study.jobs}))
        raise ValueError(f"{study.name}: none of {len(study.jobs)} jobs is finished (status: {states})")
    chosen = {
        name: settings[name]
        for name in ("estimator", "level", "margin", "resamples", "details", "cards", "paired", "tolerances")
    }
    earlier = load_study(settings["against"]) if settings["against"] else None
    if not gc.get_freeze_count():
        gc.freeze()  # what was read stays, so that it need not be walked for each figure
    return gather(study, **chosen, earlier=earlier, formats=["svg", *formats])


def _documents(content: Content, formats: Sequence[str]) -> dict[str, bytes]:
    """File name → bytes of everything that is written."""
    from scar.reporting.formats.page import render_page
    from scar.reporting.formats.table import latex_document
    from scar.reporting.formats.terminal import plain_text
    from scar.reporting.paper.deviations import deviations_markdown
    from scar.reporting.tables.planners_table import has_planners, planners_markdown

    tables = [*content.tables, *content.more_tables, *content.inspected]
    tables += [each.next_round for each in content.details if each.next_round is not None]
    tables += [each.slices for each in content.details if each.slices is not None]
    second = [table for table in tables if table.name.startswith("table2") and len(table.cells)]
    texts = {
        "report.html": render_page(content),
        "report.txt": plain_text(content),
        "table2.md": "\n".join(table.to_markdown() for table in second),
        "table2.tex": latex_document(second, header=f"Table 2, study {content.study.name}, by scar {__version__}"),
        "table2.csv": _joined_csv(content),
        "deviations.md": deviations_markdown(),
    }
    for table in tables:
        if len(table.cells):
            texts[f"{table.name}.csv"] = table.to_csv()
            texts[f"{table.name}.md"] = table.to_markdown()
            texts[f"{table.name}.tex"] = latex_document(
                [table], header=f"Study {content.study.name}, by scar {__version__}"
            )
    texts |= {"arms.csv": content.comparison.arms.to_csv(index=False, float_format="%.10g")}
    texts |= {"differences.csv": content.comparison.differences.to_csv(index=False, float_format="%.10g")}
    if has_planners(content.comparison):
        texts |= {"planners.csv": content.comparison.planners.to_csv(index=False, float_format="%.10g")}
        texts |= {"planners.md": planners_markdown(content.study, content.comparison)}
    documents = {name: text.encode() for name, text in texts.items()}
    for drawing in content.drawings:
        for kind in formats:
            documents[f"{drawing.name}.{kind}"] = drawing.render(kind)
        if drawing.data is not None:
            documents[f"{drawing.name}_data.csv"] = drawing.data.to_csv(index=False, float_format="%.10g").encode()
        drawing.close()
    return documents


def _cards(content: Content, about: CardConfig | None, target: Path) -> dict[str, bytes]:
    """The card of every group, as Markdown and as JSON-LD."""
    from scar.reporting.formats.card import make_cards, render_card
    from scar.reporting.formats.croissant import render_croissant

    documents = {}
    cards = make_cards(
        content.study,
        content.comparison,
        about,
        answers=content.answers,
        boards=content.boards,
        known=content.caveats,
        most=content.cards,
    )
    for suffix, card in cards.items():
        documents[f"card{suffix}.md"] = render_card(card).encode()
        documents[f"croissant{suffix}.json"] = render_croissant(card, target).encode()
    return documents


def _joined_csv(content: Content) -> str:
    """Table 2 as one wide CSV: characteristics and accuracies, one row per group and budget."""
    by_name = {table.name: table for table in content.tables}
    scored = by_name.get("table2b", by_name[f"table2b_{LEADING}"])  # accuracy, where classes exclude one another
    left, right = by_name["table2a"].values, scored.values
    axes = list(content.study.axes)
    joined = left.merge(right, on=axes, how="left", suffixes=("", "_accuracy")) if len(right) else left
    return str(harmless_frame(joined).to_csv(index=False, float_format="%.10g"))


def _write_all(target: Path, documents: Mapping[str, bytes], digest: str) -> dict[str, Path]:
    """Write a whole report aside, then give its files their names, the record last.

    One that is killed before it is whole leaves the old report; what is killed afterwards, the next command finishes.
    """
    for name in documents:
        if Path(name).name != name:
            raise ValueError(f"{name!r} cannot be a file of the report: a name in the rows holds a separator")
    target.mkdir(parents=True, exist_ok=True)
    record = {"digest": digest, "files": {name: hashlib.sha256(data).hexdigest() for name, data in documents.items()}}
    with holding(target / LOCK):
        _publish(target)
        shutil.rmtree(target / STAGED, ignore_errors=True)  # of a process that died
        (target / STAGED).mkdir()
        for name, data in {**documents, RECORD: json.dumps(record, indent=1).encode()}.items():
            (target / STAGED / name).write_bytes(data)
        (target / STAGED).rename(target / READY)
        _publish(target)
    return {name: target / name for name in documents}


def _publish(target: Path) -> None:
    """Give the files of a report that is whole their names; the caller holds the lock."""
    if not (ready := target / READY).is_dir():
        return
    record = _recorded(target)
    for name, digest in (record["files"] if record else {}).items():
        old = target / Path(name).name
        if not (ready / old.name).exists() and old.exists() and checksum(old) == digest:
            old.unlink()  # the report before had it, this one has not, and nobody changed it
    (target / RECORD).unlink(missing_ok=True)
    for path in sorted(ready.iterdir(), key=lambda path: path.name == RECORD):
        path.replace(target / path.name)
    ready.rmdir()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file by renaming, so that no one reads half of it."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _reusable(target: Path, digest: str) -> dict[str, Path] | None:
    """The files of an earlier report if it has this digest and they are unchanged."""
    record = _recorded(target)
    if record is None or record["digest"] != digest:
        return None
    try:
        unchanged = all(checksum(target / name) == value for name, value in record["files"].items())
    except OSError:
        return None
    return {name: target / name for name in record["files"]} if unchanged else None


def _recorded(target: Path) -> dict[str, Any] | None:
    """Return ``digest`` and ``files``, name → hash, of the report that lies there; None where there is none, or no record of it."""
    try:
        record = json.loads((target / RECORD).read_text())
        return {"digest": str(record["digest"]), "files": {str(k): str(v) for k, v in record["files"].items()}}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _digest(folders: Sequence[Path], settings: Mapping[str, Any]) -> str:
    """Hash of the settings, of the code that makes reports and of every file that a report reads."""
    about = [__version__, settings, sources().version([write_report])]
    digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode())
    for asset in sorted(Path(__file__).parent.rglob("*")):
        if asset.suffix in (".css", ".csv", ".html", ".js", ".md"):
            digest.update(asset.name.encode() + asset.read_bytes())
    for folder in folders:
        for job in sorted(folder.glob("jobs/*")):
            names = sorted(file.name for file in job.iterdir()) if job.is_dir() else []
            for pattern in INPUTS:
                for name in fnmatch.filter(names, pattern):
                    digest.update(f"{job.name}/{name}".encode() + hashlib.sha256((job / name).read_bytes()).digest())
    return digest.hexdigest()

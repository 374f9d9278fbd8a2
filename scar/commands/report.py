"""The command ``scar-report``: tables, figures and pages of finished studies; it never trains."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Collection
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from scar.commands._arguments import prepared
from scar.common.console import OUTPUTS, announce, console, errors, escape, set_output
from scar.common.extras import told
from scar.common.files import CorruptArtefactError
from scar.common.named import check_name
from scar.config.nodes import reason
from scar.config.runtime import LoggerConfig
from scar.data.paths import data_folder
from scar.reporting.reduction.results import has_reductions
from scar.reporting.settings import CARDS, EQUIVALENCE_MARGIN, FORMATS, PAIRED, CardConfig, Tolerances
from scar.sweep.hydra_internals import explain_compositions

ALWAYS = {"from_wandb", "force", "output", "paths"}
TABLES = {1: ALWAYS | {"table", "name"}, 2: ALWAYS | {"table", "name", "studies", "tolerance", "formats"}}
REDUCTION = ALWAYS | {"study", "formats"}
"""Settings that a report takes notice of."""


@dataclass(kw_only=True)
class ReportPaths:
    """Where studies lie.

    Attributes:
        output_dir: studies, jobs and reports.
        data_dir: fetched data, which ``table=1`` looks for; None is the cache of the user.
    """

    output_dir: str = "outputs"
    data_dir: str | None = None


@dataclass(kw_only=True)
class ReportConfig:
    """What to report.

    Attributes:
        study: folder under ``paths.output_dir``; ``default`` where neither it nor `studies` is given.
        studies: several of them as one report, which is written into ``paths.output_dir/<name>``.
        name: of the report on several studies.
        estimator: for the set-level measures; None takes the driver of the plans.
        level: of all intervals.
        margin: largest difference of two scores that counts as none; a null result is tested against it.
        resamples: of the bootstrap of rank agreement.
        details: groups that get a section and figures of their own.
        cards: groups that get a card; of more, the first.
        paired: encoders that are compared pair by pair; of more, the best ones.
        where: axis and value of the rows to keep, e.g. ``where.regime=natural``.
        formats: of the figure files: svg as the page shows them; png for slides and pdf for a manuscript are drawn once
            more each. What goes to Weights & Biases is always written as png, too.
        published: also write the published table and figures.
        table: 1 or 2: that table of the paper instead of a report, with what was run here and the commands that fill
            the rest, written into ``paths.output_dir/<name>``; `studies` may be empty then.
        tolerance: within which ours passes as the published value.
        against: another study, or a date such as 2026-05-01, to compare this version of the data with.
        force: write again even if nothing changed.
        from_wandb: rebuild the study from its runs of Weights & Biases first: a folder with offline runs, or
            ``entity/project/group`` of uploaded ones.
        output: what standard output is for, see `scar.common.console.OUTPUTS`.
        logger: where the report goes besides its folder.
        card: what the owner of the dataset adds to its card.
    """

    study: str | None = None
    studies: list[str] = field(default_factory=list)
    name: str = "report"
    estimator: str | None = None
    level: float = 0.95
    margin: float = EQUIVALENCE_MARGIN
    resamples: int = 2000
    details: int = 8
    cards: int = CARDS
    paired: int = PAIRED
    where: dict[str, Any] = field(default_factory=dict)
    formats: list[str] = field(default_factory=lambda: list(FORMATS))
    published: bool = False
    table: int | None = None
    tolerance: Tolerances = field(default_factory=Tolerances)
    against: str | None = None
    force: bool = False
    from_wandb: str | None = None
    output: str = "rich"
    logger: LoggerConfig = field(default_factory=lambda: LoggerConfig(wandb="disabled", figures=False, curves=False))
    card: CardConfig = field(default_factory=CardConfig)
    paths: ReportPaths = field(default_factory=ReportPaths)

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"level={self.level} must lie between 0 and 1")
        if not 0 < self.margin < 1:
            raise ValueError(f"margin={self.margin} must lie between 0 and 1: 0.005 is half a point")
        if self.resamples < 100:
            raise ValueError(f"resamples={self.resamples} must be at least 100")
        if self.details < 0:
            raise ValueError(f"details={self.details} must not be negative")
        if self.cards < 0:
            raise ValueError(f"cards={self.cards} must not be negative: 0 writes none")
        if self.paired < 2:
            raise ValueError(f"paired={self.paired} must be at least 2")
        if self.output not in OUTPUTS:
            raise ValueError(f"output={self.output!r} is unknown; use one of {', '.join(OUTPUTS)}")
        if self.from_wandb and self.studies:
            raise ValueError(f"from_wandb={self.from_wandb} rebuilds one study: name it by study=, not by studies=")
        if self.study is not None and self.studies:
            raise ValueError(f"study={self.study} beside studies={list(self.studies)}: give one of them")
        if self.table not in (None, 1, 2):
            raise ValueError(f"table={self.table}: the paper's tables are 1 and 2")
        if self.study is not None:
            check_name("study", self.study)
        check_name("name", self.name)
        for each in self.studies:
            check_name("studies", each)
        unknown = sorted(set(self.formats) - {"png", "pdf", "svg"})
        if unknown:
            raise ValueError(f"formats={list(self.formats)}: {unknown[0]!r} is not one of png, pdf, svg")


def build(composed: DictConfig) -> ReportConfig:
    """Turn a composed Hydra configuration into a validated `ReportConfig`.

    Raises:
        ValueError: an unknown key, a wrong type or a bad value; the message names the key.
    """
    try:
        schema = OmegaConf.structured(ReportConfig)
        for frozen in (schema.logger, schema.card):  # their objects are, what they are made from must not be
            OmegaConf.set_readonly(frozen, False)
        merged = OmegaConf.merge(schema, composed)
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        key = error.full_key or "report"
        raise ValueError(f"{key}={OmegaConf.select(composed, key)!r}: {reason(error, key)}") from error
    assert isinstance(config, ReportConfig)
    return config


@hydra.main(version_base="1.3", config_path="pkg://scar.conf", config_name="report")
def _app(composed: DictConfig) -> None:
    try:
        write(build(composed))
    except (ValueError, OSError, CorruptArtefactError) as error:
        errors().print(f"error: {told(error)}", markup=False)
        sys.exit(1)


def write(config: ReportConfig) -> dict[str, Path]:
    """Write what a configuration asks for and return the files."""
    from scar.reporting.write import write_report

    set_output(config.output)
    root, study = Path(config.paths.output_dir), config.study or "default"
    if config.table is not None:
        used = TABLES[config.table] | ({"study"} if config.from_wandb else set())
        _refuse_others(config, used, f"table={config.table}")
    if config.from_wandb:
        from scar.reporting.formats.from_wandb import rebuild_study  # wandb is slow to import

        rebuild_study(config.from_wandb, root / study)
    if config.table is not None:
        from scar.commands.doctor import examine
        from scar.reporting.paper.paper_report import write_paper_table

        return write_paper_table(
            config.table,
            root,
            name=config.name,
            studies=config.studies,
            examined=examine(data_folder(config.paths.data_dir)) if config.table == 1 else None,
            tolerances=config.tolerance,
            formats=config.formats,
            console=console(),
        )
    if not config.studies and has_reductions(root / study):
        _refuse_others(config, REDUCTION, f"study={study}, which reduces pairs")
        from scar.reporting.reduction.reduction_report import write_reductions

        return write_reductions(root / study, formats=config.formats, console=console())
    names = config.studies or [study]
    output = root / (names[0] if len(names) == 1 else config.name)
    to_wandb = _goes_to_wandb(config.logger)
    earlier = None
    if config.against:
        from scar.job.data_versions import find_version

        earlier = find_version(root / names[0], config.against)
    paths = write_report(
        [root / name for name in names],
        output=output,
        estimator=config.estimator,
        level=config.level,
        margin=config.margin,
        resamples=config.resamples,
        details=config.details,
        cards=config.cards,
        paired=config.paired,
        where=config.where,
        tolerances=config.tolerance,
        against=earlier,
        formats=[*config.formats, *(["png"] if to_wandb and "png" not in config.formats else [])],
        force=config.force,
        card=config.card,
        console=console(),
    )
    if config.published:
        from scar.reporting.paper.paper_report import write_published

        paths |= write_published(output, formats=config.formats)
    if to_wandb:
        from scar.reporting.formats.wandb_study import log_study

        logged = log_study(paths, config.logger, name=output.name)
        console().print(f"wandb: {'logged' if logged else 'logged before'}, {escape(output / 'wandb')}")
    announce("report", path=paths["report.html"])
    console().print(f"report: {paths['report.html']}", markup=False, highlight=False)
    return paths


def _refuse_others(config: ReportConfig, used: Collection[str], what: str) -> None:
    """Refuse settings that change nothing in this kind of report.

    Raises:
        ValueError: one of them is not its default.
    """
    plain = ReportConfig()
    for each in fields(config):
        value = getattr(config, each.name)
        if each.name not in used and value != getattr(plain, each.name):
            shown = each.name if is_dataclass(value) else f"{each.name}={value}"
            raise ValueError(f"{shown} changes nothing in a report on {what}: leave it out")


def _goes_to_wandb(config: LoggerConfig) -> bool:
    if config.wandb == "disabled":
        return False
    from scar.job._wandb_run import wandb_mode  # imports what reaches a network

    return wandb_mode(config.wandb) != "disabled"


def main() -> None:
    """Run the command."""
    sys.argv[1:] = prepared(sys.argv[1:])
    gc.disable()  # little is made twice: to look for cycles while it works and at its end would take a tenth of the time
    atexit.register(gc.freeze)
    explain_compositions()
    _app()


if __name__ == "__main__":
    main()

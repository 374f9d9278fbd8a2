"""The command ``scar-report``: tables, figures and pages of finished studies; it never trains."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from scar.console import console, errors


@dataclass(kw_only=True)
class ReportPaths:
    """Where studies lie.

    Attributes:
        output_dir: studies, jobs and reports.
    """

    output_dir: str = "outputs"


@dataclass(kw_only=True)
class ReportConfig:
    """What to report.

    Attributes:
        study: folder under ``paths.output_dir``.
        studies: several of them as one report, which is written into ``paths.output_dir/<name>``.
        name: of the report on several studies.
        estimator: for the set-level measures; None takes the driver of the plans.
        level: of all intervals.
        resamples: of the bootstrap over seeds × test items.
        details: groups that get a section and figures of their own.
        where: axis and value of the rows to keep, e.g. ``where.regime=natural``.
        formats: of the figure files.
        published: also write the published table and figures.
        force: write again even if nothing changed.
    """

    study: str = "default"
    studies: list[str] = field(default_factory=list)
    name: str = "report"
    estimator: str | None = None
    level: float = 0.95
    resamples: int = 2000
    details: int = 8
    where: dict[str, Any] = field(default_factory=dict)
    formats: list[str] = field(default_factory=lambda: ["png", "pdf", "svg"])
    published: bool = False
    force: bool = False
    paths: ReportPaths = field(default_factory=ReportPaths)

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"level={self.level} must lie between 0 and 1")
        if self.resamples < 100:
            raise ValueError(f"resamples={self.resamples} must be at least 100")
        if self.details < 0:
            raise ValueError(f"details={self.details} must not be negative")
        unknown = sorted(set(self.formats) - {"png", "pdf", "svg"})
        if unknown:
            raise ValueError(f"formats={list(self.formats)}: {unknown[0]!r} is not one of png, pdf, svg")


def build(composed: DictConfig) -> ReportConfig:
    """Turn a composed Hydra configuration into a validated `ReportConfig`.

    Raises:
        ValueError: an unknown key, a wrong type or a bad value; the message names the key.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(ReportConfig), composed)
        config = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        raise ValueError(f"{error.full_key or 'report'}: {str(error).splitlines()[0]}") from error
    assert isinstance(config, ReportConfig)
    return config


@hydra.main(version_base="1.3", config_path="pkg://scar.conf", config_name="report")
def _app(composed: DictConfig) -> None:
    try:
        write(build(composed))
    except (ValueError, OSError) as error:
        errors().print(f"error: {error}", markup=False)
        sys.exit(1)


def write(config: ReportConfig) -> dict[str, Path]:
    """Write what a configuration asks for and return the files."""
    from scar.reporting.write import write_published, write_report

    root = Path(config.paths.output_dir)
    names = config.studies or [config.study]
    output = root / (names[0] if len(names) == 1 else config.name)
    paths = write_report(
        [root / name for name in names],
        output=output,
        estimator=config.estimator,
        level=config.level,
        resamples=config.resamples,
        details=config.details,
        where=config.where,
        formats=config.formats,
        force=config.force,
        console=console(),
    )
    if config.published:
        paths |= write_published(output, formats=config.formats)
    return paths


def main() -> None:
    """Run the command."""
    _app()


if __name__ == "__main__":
    main()

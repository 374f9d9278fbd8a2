"""What a report imports and draws, counted rather than timed."""

import subprocess
import sys

import numpy as np
import pytest
import yaml
from matplotlib.axis import Axis
from scipy.stats import spearmanr
from synthetic import write_study

from scar.reporting.figures.style import Drawing, new_figure, styled
from scar.reporting.study_folder import load_study
from scar.reporting.study_job import StudyJob, _plain_yaml
from scar.reporting.tables.encoder_agreement import _correlations


def test_a_report_imports_neither_scipy_stats_nor_wandb(tmp_path):
    write_study(tmp_path / "outputs" / "s", seeds=2)
    script = (
        "import sys; from scar.commands.report import ReportConfig, write;"
        "write(ReportConfig(study='s', resamples=100, formats=['png'], output='quiet'));"
        "print([m for m in ('scipy.stats', 'wandb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split("\n")[-2] == "[]"


def test_axes_without_labels_measure_their_ticks_once_per_drawing(monkeypatch):
    asked = []
    boxes = Axis._get_ticklabel_bboxes
    monkeypatch.setattr(Axis, "_get_ticklabel_bboxes", lambda self, *each: asked.append(self) or boxes(self, *each))
    with styled():
        figure = new_figure(6, 3)
        panels = figure.subplots(1, 3)
        panels[0].set_xlabel("Samples")
    drawing = Drawing(name="x", title="x", alt="x", figure=figure)
    drawing.render("png")
    before = len(asked)
    drawing.render("svg")
    assert len(asked) - before == 7  # one per axis, and one for the place of the only label


def test_jobs_share_what_their_configurations_have_in_common(tmp_path):
    jobs = load_study(write_study(tmp_path / "s", seeds=2)).jobs
    first, second = [job for job in jobs if job.columns["completion"] == "scar"]
    assert first.config["seed"] != second.config["seed"]
    nested = [name for name, value in first.config.items() if isinstance(value, dict)]
    assert nested
    assert all(first.config[name] is second.config[name] for name in nested)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb:\n  c: [1, 2]\n  d: {e: f}\nlist:\n- x\n- y: 1\n  z: 2\nlast: null\n",
        "text: 'two\n  lines'\nblock: |\n  a: 1\n\n  b\nmore: 3\n",
        "# said\na: 1\n'b': 2\n",
        "a: &id001\n  x: 1\nb: *id001\n",
        "- 1\n- 2\n",
        "word",
        "",
    ],
)
def test_a_configuration_is_read_as_yaml_reads_it(text):
    assert _plain_yaml(text) == yaml.safe_load(text)


def test_groups_are_not_looked_for_among_all_jobs(tmp_path, monkeypatch):
    groups = [("digits", f"encoder{i}", "image", "natural") for i in range(3)]
    study = load_study(write_study(tmp_path / "s", seeds=2, groups=groups))
    expected = [[job for job in study.jobs if job.done and job.belongs(group)] for group in study.groups()]
    monkeypatch.setattr(StudyJob, "belongs", lambda *_: pytest.fail("looked at a job"))
    assert [study.finished(group) for group in study.groups()] == expected


def test_correlations_of_encoders_and_seeds_are_means_over_pairs():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, (3, 4, 9)).astype(float)
    values[1, 2] = 1.0  # constant: its pairs have no correlation
    values[0, 0, 3] = np.inf
    with np.errstate(all="ignore"):
        rho = spearmanr(values.reshape(12, 9), axis=1).statistic.reshape(3, 4, 3, 4)
    apart = [(s, t) for s in range(4) for t in range(4) if s != t]
    between = np.nanmean([rho[e, s, f, t] for e in range(3) for f in range(e) for s, t in apart])
    within = np.nanmean([rho[e, s, e, t] for e in range(3) for s, t in apart])
    assert _correlations(values) == pytest.approx((between, within), abs=1e-11)
    assert np.isnan(_correlations(np.ones((2, 2, 4)))).all()

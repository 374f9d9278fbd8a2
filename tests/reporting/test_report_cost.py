"""What a report imports and draws, counted rather than timed."""

import subprocess
import sys

from matplotlib.axis import Axis
from synthetic import write_study

from scar.reporting.figures.style import Drawing, new_figure, styled


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

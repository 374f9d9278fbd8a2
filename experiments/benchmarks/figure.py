"""Each figure of the table as a share of its bar."""

from collections.abc import Sequence
from pathlib import Path

from experiments.benchmarks.timing import Row


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw one bar per row that has a bar to reach; 1 is the bar, right of it is better."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    judged = [row for row in rows if row.bar]
    if not judged:
        return
    shares = [row.value / row.bar if row.at_least else row.bar / row.value for row in judged]
    figure, axes = plt.subplots(figsize=(9, 0.6 + 0.35 * len(judged)), layout="constrained")
    colours = ["tab:blue" if row.verdict == "pass" else "tab:orange" for row in judged]
    axes.barh([row.what for row in judged], shares, color=colours)
    for place, (row, share) in enumerate(zip(judged, shares, strict=True)):
        axes.annotate(f" {row.measured}", (share, place), va="center", fontsize=8)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(min(0.5, 0.8 * min(shares)), 2 * max(shares))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.invert_yaxis()
    axes.set_xlabel("measured / bar (times and sizes: bar / measured)")
    figure.savefig(path, dpi=150)
    plt.close(figure)

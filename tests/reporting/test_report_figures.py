import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from synthetic import NAMES, write_study

from scar.foundation.estimators import BY_NAME
from scar.reporting.comparison import compare
from scar.reporting.content import gather
from scar.reporting.figures._label_places import place_labels
from scar.reporting.figures.alignment_figure import alignment_frame, draw_alignment
from scar.reporting.figures.class_figure import draw_recalls, recalls_frame
from scar.reporting.figures.completion_figure import draw_completion
from scar.reporting.figures.growth_figure import draw_growth, growth_frame, shows_growth
from scar.reporting.figures.measures_figure import draw_measures, measures_by_size, varying
from scar.reporting.figures.need_figure import draw_needs, gaps_frame, needs_frame
from scar.reporting.figures.plan_figure import draw_plan
from scar.reporting.figures.style import (
    EXTENSION,
    FOUNDATION,
    LINES,
    STRATEGY,
    TOTAL,
    new_figure,
    settle,
    share_glyphs,
    styled,
    thin_lines,
)
from scar.reporting.figures.whatif_figure import draw_whatif, whatif_frame
from scar.reporting.paper.figure3a import draw_sizes, published_sizes_frame, sizes_frame
from scar.reporting.paper.figure3b import bubbles_frame, draw_bubbles, published_bubbles_frame
from scar.reporting.study_folder import load_study
from scar.reporting.tables.plan_table import plan_by_class
from scar.reporting.text import group_label


def drawings(study):
    (group,) = study.groups()
    yield draw_sizes(sizes_frame(study))
    yield draw_bubbles(bubbles_frame(study))
    yield draw_completion(compare(study), group)
    yield draw_plan(plan_by_class(study.rows, seed=0, estimator="heldout"), title="plan")
    yield draw_measures(measures_by_size(study.rows), title="measures")
    yield draw_growth(growth_frame(study.rows, seed=0), title="growth")
    recalls = recalls_frame(study.outcomes(group), NAMES[:4], fraction=0.25)
    yield draw_recalls(recalls, fraction=0.25, title="classes")
    yield needs_drawing(study.rows)
    yield draw_alignment(alignment_frame(pairs_study(study)))
    yield draw_whatif(whatif_frame(ahead_study(study).rows, seed=0), title="ahead", leader="scar")


def ahead_study(study):
    """A study whose plans are forecast, beside the given one."""
    folder = study.folders[0].parent / "ahead"
    return load_study(folder if folder.exists() else write_study(folder, seeds=1, ahead=True))


def needs_drawing(rows):
    gaps, needs = gaps_frame(rows), needs_frame(rows)
    return draw_needs(gaps, needs, rows, driver="heldout", epsilon=0.01, title="needs")


def pairs_study(study):
    """The rows of pairs, in the place of those of a study."""
    folder = study.folders[0].parent / "pairs"
    if not folder.exists():
        groups = [("flickr30k", "clip", modality, "natural") for modality in ("text", "image")]
        write_study(folder, seeds=2, strategies=("scar",), groups=groups)
    return load_study(folder)


def test_figures_are_the_same_bytes_every_time(study):
    for first, second in zip(drawings(study), drawings(study), strict=True):
        for kind in ("svg", "pdf", "png") if first.name == "figure3a" else ("svg",):
            assert first.render(kind) == second.render(kind), (first.name, kind)


@pytest.mark.slow
def test_figures_are_the_same_bytes_in_another_process(tmp_path):
    script = (
        "import sys; from scar.reporting.paper.figure3b import *;"
        "sys.stdout.buffer.write(draw_bubbles(published_bubbles_frame()).render('svg'))"
    )
    first, second = (
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout for _ in "ab"
    )
    assert first == second
    assert len(first) > 10_000


def test_every_figure_is_well_formed_and_says_what_it_shows(study):
    for drawing in drawings(study):
        root = ElementTree.fromstring(drawing.inline_svg())
        assert root.get("role") == "img"
        assert root.get("aria-label") == drawing.alt
        assert len(drawing.alt) > 40
        identifiers = [e.get("id") for e in root.iter() if e.get("id")]
        assert all(i.startswith((f"{drawing.name}-", "DejaVuSans")) for i in identifiers)
        assert all(i in drawing.inline_svg().replace(f'id="{i}"', "") for i in identifiers if "-tip" not in i)


def test_the_figures_of_a_page_share_the_outlines_of_letters(study):
    alone = [drawing.inline_svg() for drawing in drawings(study)]
    shared, figures = share_glyphs(alone)
    assert len(shared) + sum(map(len, figures)) < 0.7 * sum(map(len, alone))
    there = re.findall(r' id="([^"]+)"', shared)
    assert len(there) == len(set(there)) > 50
    for text in figures:
        root = ElementTree.fromstring(text)
        own = {e.get("id") for e in root.iter()}
        assert {e.get("href")[1:] for e in root.iter() if e.get("href", "").startswith("#")} <= own | set(there)


def test_of_a_long_name_beside_an_axis_the_beginning_is_shown(tmp_path, monkeypatch):
    names = ("L" * 60, *NAMES[1:4])
    monkeypatch.setattr("synthetic.NAMES", names)
    own = load_study(write_study(tmp_path / "s", seeds=1))
    recalls = recalls_frame(own.outcomes(own.groups()[0]), names, fraction=0.25)
    for drawing in (
        draw_plan(plan_by_class(own.rows, seed=0, estimator="heldout"), title="plan"),
        draw_recalls(recalls, fraction=0.25, title="classes"),
        needs_drawing(own.rows),
    ):
        shown = [text.get_text() for axes in drawing.figure.axes for text in axes.get_yticklabels()]
        assert f"{'L' * 27}…" in shown, drawing.name
        assert "L" * 60 not in shown


def test_hover_texts_reach_the_svg(study):
    drawing = draw_plan(plan_by_class(study.rows, seed=0, estimator="heldout"), title="plan")
    titles = [e.text for e in ElementTree.fromstring(drawing.inline_svg()).iter("{http://www.w3.org/2000/svg}title")]
    assert any(text.startswith("Trouser: ") for text in titles)


def bar_widths(axes):
    return sorted(round(p.get_x() + p.get_width()) for p in axes.patches if p.get_height() > 0 and p.get_width() > 0)


def test_bars_end_at_the_sizes_and_met_is_written_out(tmp_path):
    study = load_study(write_study(tmp_path / "s", seeds=2, met=("paper",)))
    frame = sizes_frame(study)
    drawing = draw_sizes(frame)
    (axes,) = drawing.figure.axes
    assert bar_widths(axes) == sorted(round(v) for v in frame.value if v > 0)
    texts = [t.get_text() for t in axes.texts]
    assert texts.count("met (0)") == 1
    assert axes.get_xscale() == "log"


def test_every_estimator_has_a_colour_of_its_own():
    assert len({*FOUNDATION, TOTAL, EXTENSION}) >= len(BY_NAME) + 2


def test_an_undefined_size_is_written_out():
    frame = pd.DataFrame(
        {"label": "a", "part": ["total", "foundation"], "estimator": ["", "paper"], "value": [100.0, np.nan]}
    ).assign(low=np.nan, high=np.nan)
    assert "undefined" in [t.get_text() for t in draw_sizes(frame).figure.axes[0].texts]


def test_labels_of_the_38_published_bubbles_cover_nothing():
    drawing = draw_bubbles(published_bubbles_frame())
    axes = drawing.figure.axes[0]
    renderer = drawing.figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in axes.texts]
    assert len(boxes) == 38
    frame = axes.get_window_extent()
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index])
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1
        assert frame.y0 <= box.y0
        assert box.y1 <= frame.y1


def test_labels_do_not_cover_bubbles_either():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 20))
    figure = new_figure(8, 6)
    axes = figure.subplots()
    axes.set(xlim=(-0.2, 1.2), ylim=(-0.2, 1.2))
    settle(figure)
    boxes = place_labels(axes, x, y, np.full(20, 6.0), [f"label {i}" for i in range(20)], fontsize=7)
    points = axes.transData.transform(np.column_stack([x, y]))
    inside = (points[:, None] > boxes[None, :, :2]) & (points[:, None] < boxes[None, :, 2:])
    assert not inside.all(axis=-1).any()


def test_38_groups_of_bars_are_drawn():
    drawing = draw_sizes(published_sizes_frame())
    assert len(drawing.figure.axes[0].get_yticks()) == 38
    assert len(bar_widths(drawing.figure.axes[0])) == 3 * 38


def test_bubbles_without_a_measure_are_named_instead_of_drawn():
    frame = published_bubbles_frame().head(3).reset_index(drop=True)
    frame.loc[1, "richness"] = np.nan
    drawing = draw_bubbles(frame)
    assert frame.label[1] in drawing.figure.axes[0].get_title(loc="left")
    assert len(drawing.figure.axes[0].texts) == 2


def test_a_growth_curve_is_drawn_from_three_sizes_on(study):
    frame = growth_frame(study.rows, seed=0)
    assert shows_growth(frame)
    assert not shows_growth(frame[frame.factor <= 2])
    assert not shows_growth(frame.assign(y=frame.y.where(frame.factor <= 2)))
    few = replace(study, rows=study.rows[study.rows.factor.fillna(1) <= 2])
    names = [[d.name for d in gather(each, resamples=100).details[0].more_figures] for each in (study, few)]
    assert names == [["measures", "figure2"], ["measures"]]


def test_measures_that_are_the_same_everywhere_have_no_panel_and_the_title_says_them(study):
    frame = measures_by_size(study.rows)
    one = frame.assign(value=frame.value.mask(frame.metric == "richness", 1.0).mask(frame.metric == "coverage"))
    drawing = draw_measures(one, title="measures")
    assert [axes.get_title(loc="left") for axes in drawing.figure.axes] == ["Authenticity"]
    title = "measures · coverage undefined at every size · richness 1.000 at every size"
    assert drawing.figure.get_suptitle() == title
    assert "richness 1.000 at every size" in drawing.alt
    assert varying(frame.assign(value=1.0)) == varying(frame[frame.factor == 1]) == []
    single = draw_measures(frame[(frame.metric != "coverage") | (frame.factor == 1)], title="measures")
    assert re.fullmatch(r"measures · coverage 0\.\d{3} at \d+ samples", single.figure.get_suptitle())
    constant = replace(study, rows=study.rows.assign(value=study.rows.value.mask(study.rows.stage == "measures", 0.5)))
    assert "measures" not in [d.name for d in gather(constant, resamples=100).details[0].more_figures]


def test_a_layout_leaves_room_for_legends_titles_and_labels(study):
    for drawing in drawings(study):
        figure = drawing.figure
        with styled():
            settle(figure)
        boxes = [axes.get_tightbbox() for axes in figure.axes if axes.get_visible()]
        boxes += [legend.get_window_extent() for legend in figure.legends]
        for box in boxes:
            assert min(box.x0, box.y0) > -1, drawing.name
            assert box.x1 < figure.bbox.x1 + 1, drawing.name
            assert box.y1 < figure.bbox.y1 + 1, drawing.name
        for legend in figure.legends:
            for axes in figure.axes:
                assert not axes.get_visible() or not legend.get_window_extent().overlaps(axes.get_tightbbox()), (
                    drawing.name
                )


def test_labels_are_measured_with_the_ticks_that_are_drawn():
    with styled():
        figure = new_figure(7.2, 4.8)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.7, 1])
        upper.plot([100, 700], [40, 100], label="arm")
        upper.set_title("title")
        lower.plot([100, 700], [2.0, -8.0])  # a larger panel would have -2.5 among its ticks
        lower.set_xlabel("samples")
        lower.set_ylabel("one line\nand another")
        figure.legend(*upper.get_legend_handles_labels(), loc="outside upper left")
        settle(figure)
        assert lower.yaxis.label.get_window_extent().x0 >= 0
        assert lower.get_tightbbox().x0 >= 0


def test_growth_points_are_eq_7(study):
    frame = growth_frame(study.rows, seed=1).set_index(["class_name", "factor"])
    rows = study.rows[(study.rows.stage == "measures") & (study.rows.seed == 1)]
    one = rows[(rows.class_name == "Trouser") & (rows.factor == 1)].set_index("metric").value
    y = (1 - one.coverage) * np.exp(2 * one.scale * (one.richness - one.authenticity) ** 2)
    assert frame.y[("Trouser", 1)] == pytest.approx(y)


def test_two_groups_do_not_share_one_curve(tmp_path):
    groups = [("digits", "pixels", "image", regime) for regime in ("natural", "long_tailed")]
    study = load_study(write_study(tmp_path / "s", seeds=1, groups=groups))
    with pytest.raises(ValueError, match="'regime'"):
        measures_by_size(study.rows)
    with pytest.raises(ValueError, match="'regime'"):
        growth_frame(study.rows, seed=0)
    partial = {k: v for k, v in study.groups()[0].items() if k not in ("regime", "mix")}
    with pytest.raises(ValueError, match="'regime'"):
        draw_completion(compare(study), partial)


def test_an_open_interval_does_not_open_the_axis():
    columns = ["label", "part", "estimator", "value", "low", "high"]
    frame = pd.DataFrame([["a", "total", "", 100.0, np.nan, np.nan], ["a", "foundation", "x", 900.0, 50.0, np.inf]])
    drawing = draw_sizes(frame.set_axis(columns, axis=1))
    assert drawing.figure.axes[0].get_xlim()[1] < 2000
    drawing.render("svg")


def _forecasts():
    import pandas as pd

    rows = [
        {"seed": 0, "stage": stage, "subject": who, "fraction": f, "n": int(100 + 100 * f), "metric": metric,
         "value": 0.1 * f, "low": 0.05 * f, "high": 0.2 * f}
        for stage in ("plan", "collect")
        for who in ("scar", "random")
        for f in (0.1, 0.5, 1.0)
        for metric in ("expected_matched_gain", "expected_matched_balanced_gain")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_the_forecast_shows_every_strategy_and_says_the_leader_in_words():
    from scar.reporting.figures.whatif_figure import draw_whatif, whatif_frame

    frame = whatif_frame(_forecasts(), seed=0)
    assert len(frame) == 12
    drawing = draw_whatif(frame, title="here", leader="scar")
    axes = drawing.figure.axes
    assert [len(a.collections) for a in axes] == [1, 1]  # the interval of the leader alone
    assert "200 samples: +10.00 points [+5.00, +20.00]" in drawing.alt


def test_the_shopping_list_is_largest_first_with_its_promise():
    import pandas as pd

    from scar.reporting.tables.shopping_table import shopping_table

    common = {"seed": 0, "fraction": float("nan"), "estimator": ""}
    rows = [
        {**common, "stage": "collect", "subject": "scar", "metric": "to_collect", "class_id": j, "class_name": name,
         "value": value}
        for j, (name, value) in enumerate([("cat", 5.0), ("dog", 40.0)])
    ]  # fmt: skip
    for j, (have, need) in enumerate([(10.0, 15.0), (20.0, 60.0)]):
        rows.append({**common, "stage": "dataset", "subject": "total", "metric": "class_size", "class_id": j, "value": have})  # fmt: skip
        rows.append({**common, "estimator": "heldout", "stage": "foundation", "subject": "total", "metric": "need",
                     "class_id": j, "value": need, "low": need - 5, "high": need + 5})  # fmt: skip
    rows.append({**common, "stage": "collect", "subject": "scar", "metric": "expected_matched_gain", "value": 0.02, "low": 0.01, "high": 0.03})  # fmt: skip
    group = {"dataset": "digits", "encoder": "pixels", "modality": "image", "regime": "natural"}
    table = shopping_table(pd.DataFrame(rows), group=group, seed=0, strategy="scar", estimator="heldout")
    assert table.cells.Class.tolist() == ["dog", "cat"]
    assert table.cells.Collect.tolist() == ["40", "5"]
    assert "matched accuracy +2.00 points" in table.notes[0]
    assert shopping_table(pd.DataFrame(rows), group=group, seed=0, strategy="random", estimator="heldout") is None


def test_recalls_are_counted_class_by_class(study, study_folder):
    (group,) = study.groups()
    frame = recalls_frame(study.outcomes(group), NAMES[:4], fraction=0.25)
    assert set(frame.subject) == {"primary", "scar", "random", "class_average", "total"}
    row = frame[(frame.subject == "scar") & (frame.class_id == 2)].iloc[0]
    shares = []
    for seed in range(3):
        with np.load(next(study_folder.glob(f"jobs/*-{seed}-scar")) / "predictions.npz") as archive:
            own = archive["labels"] == 2
            shares.append(float((archive["scar@0.25"][own] == 2).mean()))
    assert (row.value, row.low, row.high) == pytest.approx((np.mean(shares), min(shares), max(shares)))
    assert len(recalls_frame(study.outcomes(group), NAMES[:4], fraction=float("nan"))) == 2 * 4


def test_the_gap_is_drawn_by_size_down_to_what_is_enough(study):
    gaps = gaps_frame(study.rows).set_index(["class_name", "factor"])
    assert gaps.value[("Trouser", 5)] == pytest.approx(0.02 * 5**0.5 * 2)
    left, right = needs_drawing(study.rows).figure.axes
    thick = max(left.lines, key=lambda line: line.get_linewidth())
    assert thick.get_ydata()[-1] == pytest.approx(100 * np.mean([0.02, 0.04, 0.06, 0.08]))
    sizes = study.rows[(study.rows.metric == "foundation_size") & (study.rows.estimator == "heldout")]
    enough = sizes[sizes.subject == "primary"].value.mean()
    assert any(len(line.get_xdata()) == 1 and line.get_xdata()[0] == pytest.approx(enough) for line in left.lines)
    assert {tick.get_text() for tick in right.get_yticklabels()} == set(NAMES[:4])


def test_needs_without_held_out_errors_are_drawn_without_the_curve(study):
    rows = study.rows[study.rows.metric != "gap"]
    assert len(needs_drawing(rows).figure.axes) == 1


def test_alignment_shows_both_directions_of_every_encoder(study):
    drawing = draw_alignment(alignment_frame(pairs_study(study)))
    recall, cosine, agreement = drawing.figure.axes
    assert [tick.get_text() for tick in recall.get_yticklabels()] == ["Flickr30k · CLIP"]
    assert sorted(tuple(np.round(line.get_xdata(), 1)) for line in recall.lines) == [(10, 25, 40), (15, 37.5, 60)]
    medians = [line.get_xdata()[0] for line in cosine.lines if len(line.get_xdata()) == 1]
    assert medians == pytest.approx([0.3, 0.1])
    assert [line.get_xdata()[0] for line in agreement.lines] == pytest.approx([0.45, 0.25])
    assert "image → text: recall 10.0 / 25.0 / 40.0 %" in drawing.alt


def test_a_study_without_pairs_has_no_alignment(study):
    assert alignment_frame(study).empty


def test_rows_of_pairs_are_called_as_in_the_paper(study):
    labels = {group_label(group) for group in pairs_study(study).groups()}
    assert labels == {"Flickr30k (Text) · CLIP", "Flickr30k (Image) · CLIP"}
    assert group_label({"dataset": "mine", "encoder": "e", "modality": "audio"}) == "mine (Audio) · e"
    assert group_label({"dataset": "cifar10", "encoder": "vit", "modality": "image"}) == "CIFAR-10 · ViT"


SIMULATIONS = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB."""


def lightness_and_colour(colours, simulation):
    """CIE L*a*b* of sRGB colours as seen with a colour vision."""
    from matplotlib.colors import to_rgb

    rgb = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ np.array(simulation).T
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    )
    xyz = np.clip(linear, 0, 1) @ to_xyz.T / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.column_stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])])


@pytest.mark.parametrize("palette", [tuple(STRATEGY.values()), (TOTAL, EXTENSION, *FOUNDATION)])
@pytest.mark.parametrize("vision", ["normal", *SIMULATIONS])
def test_colours_are_told_apart_by_any_colour_vision(palette, vision):
    seen = lightness_and_colour(palette, SIMULATIONS.get(vision, np.eye(3)))
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)[np.triu_indices(len(palette), 1)]
    assert apart.min() > 12, apart


def test_of_many_classes_a_spread_has_lines_and_the_title_says_so():
    classes = np.repeat(np.arange(900), 2)
    frame = pd.DataFrame(
        {
            **{"metric": "richness", "factor": np.tile([2, 1], 900), "class_id": classes},
            **{"value": classes / 900, "n": np.tile([50.0, 100.0], 900), "class_name": [f"c{k}" for k in classes]},
        }
    )
    drawn = [int(own.class_id.iloc[0]) for own in thin_lines(frame, "class_id")]
    assert len(drawn) == LINES
    assert (drawn[0], drawn[-1]) == (0, 899)
    assert max(np.diff(drawn)) <= 5
    assert len(thin_lines(frame[frame.class_id < LINES], "class_id")) == LINES
    drawing = draw_measures(frame, title="many")
    assert len(drawing.tips) == LINES
    assert drawing.figure.get_suptitle() == f"many ({LINES} of 900 classes)"
    assert len(drawing.data) == 1800

import csv
from importlib.resources import files

import numpy as np
import pytest

from scar.reporting.paper import deviation_effects as effects
from scar.reporting.paper.deviations import DEVIATIONS, deviations_markdown
from scar.reporting.paper.published_rows import published_characteristics, published_runs, published_table

ARMS = {"Pri. Acc.": "primary_acc", "SCAR": "scar_acc", "rand.": "random_acc", "avg.": "average_acc"}


def cells():
    """(dataset, modality, encoder) → rows as text, read without pandas."""
    lines = [
        ln for ln in (files("scar.reporting.paper") / "published_table2.csv").read_text().splitlines() if ln[0] != "#"
    ]
    found = {}
    for row in csv.DictReader(lines):
        found.setdefault((row["dataset"], row["modality"], row["encoder"]), []).append(row)
    return found


def test_the_published_table_is_regenerated_to_the_last_printed_digit():
    table, expected = published_table(), cells()
    assert len(table.cells) == len(expected) == 38
    for shown, runs in zip(table.cells.to_dict("records"), expected.values(), strict=True):
        assert len(runs) == 3
        for header, column in ARMS.items():
            units = [round(float(run[column]) * 10_000) for run in runs]  # hundredths of a percent, whole numbers
            mean, spread = round(sum(units) / 3), max(units) - min(units)
            assert shown[header] == f"{mean // 100}.{mean % 100:02d} ± {spread // 100}.{spread % 100:02d}"


def test_a_known_line_of_the_published_table():
    line = published_table().cells.iloc[0]
    assert (line["Dataset"], line["Encoder"]) == ("CIFAR-10", "ResNet")
    assert [line[h] for h in ARMS] == ["91.06 ± 0.05", "91.54 ± 0.13", "91.49 ± 0.28", "91.54 ± 0.17"]


def test_published_facts_name_their_source_and_are_complete():
    text = (files("scar.reporting.paper") / "published_table2.csv").read_text()
    assert "arXiv 2508.19659" in text.splitlines()[0]
    runs = published_runs()
    assert len(runs) == 114
    assert not runs.isna().any().any()


def test_characteristics_follow_from_the_sizes():
    frame = published_characteristics().set_index(["dataset", "modality", "encoder"])
    row = frame.loc[("cifar10", "image", "resnet")]
    assert row.richness == 1
    assert row.scale == pytest.approx(
        np.mean([50_000 / f for f in (90037.7640910375, 89898.38036258402, 89831.52133468608)])
    )
    assert row.coverage == pytest.approx((np.mean([48936, 49010, 48955]) - 30_000) / 20_000)


def test_the_margin_exceeds_the_run_to_run_range_in_seven_and_one_of_38_cells():
    assert effects.margins() == {"cells": 38, "random": 7, "average": 1}


def test_scale_or_richness_is_one_in_every_published_cell():
    assert effects.identical_ones()[2] == 38


def test_constant_rows_are_found_where_training_stopped_at_the_majority_class():
    found = effects.repeated_accuracies()
    assert found["wikipedia (text) roberta"] == [0.403]
    assert 0.455 in found["msrvtt (text) videoclip"]


def test_the_recorded_run_is_reproduced_and_ln_f_and_order_have_the_stated_effect():
    published, plain = effects.ratio_effect()
    assert published == pytest.approx(89831.52133468608, rel=1e-9)
    assert published / plain == pytest.approx(np.log(5), rel=1e-9)
    first, third = effects.order_effect()
    assert 0 < first - third < 25


def test_the_published_plan_is_nearly_uniform_and_ours_less_so():
    published, ours = effects.unit_effect()
    assert 1 < published < 1.2 < ours


@pytest.mark.parametrize("entry", DEVIATIONS, ids=lambda e: e.topic)
def test_every_deviation_says_what_it_does_and_how_much_it_matters(entry):
    for text in (entry.topic, entry.published, entry.ours, entry.effect()):
        assert len(text) > 0
    assert entry.effect().endswith(".")
    assert entry.effect() in deviations_markdown()


def test_topics_are_unique():
    assert len({entry.topic for entry in DEVIATIONS}) == len(DEVIATIONS) >= 15

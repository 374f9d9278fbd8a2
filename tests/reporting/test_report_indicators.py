"""Indicators in tables, terminal, page and sentences."""

import numpy as np
import pandas as pd
import pytest
from synthetic import write_study

from scar.job.rows import Rows
from scar.reporting.content import gather
from scar.reporting.formats.page import render_page
from scar.reporting.formats.terminal import plain_text
from scar.reporting.study_folder import load_study
from scar.reporting.tables.indicators_table import (
    cell,
    header,
    indicator_lines,
    indicator_sentence,
    indicator_values,
    indicators_table,
)
from scar.sampling.indicators import dataset_indicators


def rows_of(sizes, subject="primary", seeds=2):
    rows = Rows(study="s", job="j", dataset="d", encoder="e", modality="image", regime="natural", completion="scar")
    for seed in range(seeds):
        for metric, value in dataset_indicators(np.repeat(np.arange(len(sizes)), sizes)).items():
            rows.add(metric, value, stage="dataset", subject=subject, seed=seed)
    return rows.frame()


def test_every_indicator_of_a_study_stands_in_the_table_in_a_fixed_order(study):
    table = indicators_table(study)
    assert list(table.cells["Set"]) == ["primary", "total"]
    own = [name for name in table.cells.columns if name not in ("Dataset", "Encoder", "Regime", "Pool", "Set")]
    assert own[:7] == ["Classes", "Smallest", "Median", "Largest", "Skew 5%", "Tail 500", "Tail 100"]
    assert own[7:] == ["Ratio", "Entropy", "Gini"]
    total = table.cells.iloc[1]
    assert total["Skew 5%"] == "25.0 %"  # one of four equal classes
    assert total["Ratio"] == "1.0"
    assert total["Gini"] == "0.000"
    assert set(table.sort_by.values()) <= set(table.values.columns)


def test_values_are_those_of_the_class_sizes_in_the_rows(study):
    rows = study.rows
    sizes = rows[(rows.metric == "class_size") & (rows.subject == "primary") & (rows.seed == 0)].value.astype(int)
    expected = dataset_indicators(np.repeat(np.arange(len(sizes)), sizes))
    own = rows[(rows.seed == 0) | (rows.metric == "class_size")]
    assert indicator_values(own, "primary") == pytest.approx(expected)


def test_terminal_page_and_answers_name_the_indicators(study):
    content = gather(study, resamples=100, details=1)
    text, page = plain_text(content), render_page(content)
    assert "Class sizes, skew and tails" in text
    assert "Tail 500" in text
    assert "Dataset-scale indicators of the training sets" in page
    assert "the most common 5 % of the classes hold" in page
    for drawing in content.drawings:
        drawing.close()


def test_a_sentence_says_how_even_the_classes_are():
    text = indicator_sentence(rows_of([600, 300, 80]))
    assert text == (
        "3 classes of 80 to 600 samples; the most common 5 % of the classes hold 61.2 % of them; 66.7 % of the classes "
        "have fewer than 500, 33.3 % of the classes have fewer than 100."
    )


def test_rows_without_indicators_leave_nothing_behind(study):
    bare = study.rows[study.rows.stage != "dataset"]
    assert indicator_sentence(bare) == ""
    assert indicator_lines(bare) == []
    assert pd.DataFrame(indicator_values(bare, "total"), index=[0]).empty


def test_empty_classes_and_missing_values_are_written_as_such():
    assert cell("imbalance_ratio", np.inf) == "∞"
    assert cell("left_skew@5%", np.nan) == "missing"
    assert header("long_tail@100") == "Tail 100"


def test_a_study_of_several_groups_has_a_row_for_each(tmp_path):
    groups = (("a", "pixels", "image", "natural"), ("b", "pixels", "image", "long_tailed"))
    table = indicators_table(load_study(write_study(tmp_path / "s", groups=groups, seeds=1)))
    assert list(table.cells["Dataset"]) == ["a", "a", "b", "b"]
    balanced, uneven = table.values["gini"][0], table.values["gini"][2]
    assert balanced == 0
    assert uneven > 0.2

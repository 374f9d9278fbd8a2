"""The subset study: nested class-aware subsets, planted verdicts, and the whole study on the digits."""

import numpy as np
import pandas as pd
import pytest

from scar.job.algorithm import algorithm
from scar.store.store import Store
from scar.studies.common import compose_config
from scar.studies.foundation_subset.foundation_subset_study import (
    RULES,
    SubsetStudySettings,
    draw_rows,
    plan_parts,
    study_subsets,
)
from scar.studies.foundation_subset.foundation_subset_table import compare, conclude

LIGHT = ["dataset=digits", "encoder=pixels", "subsets=quick", "probe.max_epochs=60", "logger=csv"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def job(store):
    return algorithm(compose_config([*LIGHT, f"paths.store_dir={store}"]), Store(store))


@pytest.mark.parametrize("name", list(RULES))
def test_subsets_are_nested_class_aware_and_of_the_right_size(job, name):
    sizes = [100, 300, 700]
    drawn = list(draw_rows(job, name, sizes))
    whole = job.split.class_sizes("total", 10) / len(job.split.total)
    assert [len(rows) for rows in drawn] == sizes
    for rows in drawn:
        assert len(np.unique(rows)) == len(rows)
        assert np.isin(rows, job.split.total).all()
        assert np.abs(np.bincount(job.split.labels[rows], minlength=10) - whole * len(rows)).max() < 1
    assert np.isin(drawn[1], drawn[2]).mean() > 0.98  # a class may round the other way


def test_the_sizes_that_the_estimator_asks_for_are_tried_where_they_are_smaller_than_everything(job):
    parts = plan_parts(job, SubsetStudySettings(gaps=(1e-4, 0.05), shares=(0.1,)))
    origins = {part.origin for part in parts}
    assert "gap 0.0001" not in origins
    assert {"all", "0.1", "gap 0.05"} <= origins
    assert {part.selection for part in parts} == {"all", *RULES}
    assert max(part.size for part in parts) == len(job.split.total)


def planted(gain):
    """Three seeds: the full set is right on 90 %, random subsets on 80 %, a selection on 80 % plus a gain."""
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(4), 500)
    rows, predictions = [], []
    for seed in range(3):
        luck, each = rng.random(2000), []
        for selection, origin, share in (("all", "all", 0.9), ("random", "0.5", 0.8), ("herding", "0.5", 0.8 + gain)):
            predicted = np.where(luck < share, labels, (labels + 1) % 4)
            each.append(predicted)
            size = 1000 if origin == "all" else 500
            score = float(np.mean(predicted == labels))
            rows.append({"seed": seed, "selection": selection, "origin": origin, "size": size})
            rows[-1] |= {"accuracy": score, "balanced_accuracy": score}
        predictions.append(np.stack(each))
    return pd.DataFrame(rows), predictions, labels


def test_a_planted_gain_is_found_with_its_sign_and_size():
    table = compare(*planted(0.06)).set_index(["selection", "metric"])
    one = table.loc[("herding", "accuracy")]
    assert one.minus_random == pytest.approx(0.06, abs=0.012)
    assert one.minus_full == pytest.approx(-0.04, abs=0.012)
    assert one.random_p_holm < 0.05


def test_a_subset_preserves_generalisation_only_where_it_surely_does():
    rows, predictions, labels = planted(0.098)
    sentences = conclude(compare(rows, predictions, labels), rows, gaps=(), tolerance=0.01)
    assert "accuracy, random: no smaller subset surely within 1 point of all 1,000." in sentences
    kept = next(s for s in sentences if s.startswith("accuracy, herding"))
    assert "500 samples (50%) surely within 1 point" in kept
    assert "better than random at 0.5 of the data" in kept


def test_a_size_asked_for_in_some_seeds_is_compared_over_these():
    rows, predictions, labels = planted(0.06)
    rows.loc[(rows.selection != "all") & (rows.seed > 0), "origin"] = "gap 0.1"
    table = compare(rows, predictions, labels)
    assert set(table[table.origin == "gap 0.1"].seeds) == {2}
    assert table.loc[table.origin == "gap 0.1", "minus_random"].max() == pytest.approx(0.06, abs=0.015)
    sentences = conclude(table, rows, gaps=(0.01, 0.1), tolerance=0.01)
    assert "gap 0.01: in all 3 seeds the estimator asks for more than the 1,000 samples there are." in sentences
    assert any(s.startswith("gap 0.1: the estimator asks for 500 to 500 samples in 2 of 3 seeds") for s in sentences)
    assert any(s.startswith("gap 0.1, herding: 500 samples reach 0.8") for s in sentences)


def test_the_study_runs_and_runs_again_from_the_store(store, tmp_path):
    config = compose_config([*LIGHT, f"paths.store_dir={store}"])
    settings = SubsetStudySettings(seeds=2, shares=(0.1, 0.5), gaps=(0.05,))
    table, sentences = study_subsets(config, settings, tmp_path / "first")
    assert set(table.selection) == set(RULES)
    assert len(sentences) >= 2 * len(RULES)
    accuracy = table[(table.metric == "accuracy") & (table.selection == "random")].set_index("origin")
    assert accuracy.value["0.5"] > accuracy.value["0.1"]
    study_subsets(config, settings, tmp_path / "second")
    for name in ("sizes.csv", "table.csv", "table.md", "figure.png"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()

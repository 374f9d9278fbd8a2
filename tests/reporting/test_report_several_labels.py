"""A table whose samples carry several labels, from the command to report and card."""

import json

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_module

from scar.config.build import build
from scar.config.nodes import ConfigError
from scar.evaluation.label_scores import EVERY_SCORE, LABEL_SCORES
from scar.job.rows import load_predictions, load_rows
from scar.job.run_job import run_job
from scar.reporting.study_folder import load_study
from scar.reporting.tables.labels_table import COUNTING_NOTE, SEVERAL_NOTE, label_tables
from scar.reporting.write import write_report

NAMES = ["bread", "cheese", "wine"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """600 texts about food: each names what it is about, and words by chance."""
    rng = np.random.default_rng(0)
    carried = rng.random((600, 3)) < [0.5, 0.3, 0.08]
    words = [[f"{name}{k}" for k in range(6)] for name in NAMES]
    rows = []
    for each in carried:
        text = [f"word{k}" for k in rng.integers(40, size=6)]
        for own, there in zip(words, each, strict=True):
            text += list(rng.choice(own, 2)) if there or rng.random() < 0.05 else []
        rows.append(
            {"text": " ".join(text), "label": "; ".join(n for n, there in zip(NAMES, each, strict=True) if there)}
        )
    folder = tmp_path_factory.mktemp("table")
    pd.DataFrame(rows).to_csv(folder / "food.csv", index=False)
    return folder / "food.csv"


def overrides(table, *more):
    light = [
        "subsets=quick",
        "logger=csv",
        "study=food",
        "encoder=tfidf",
        "encoder.dimension=32",
        "seed=0",
        "trainer.threads=1",
    ]
    return ["dataset=table", f"dataset.root={table}", "dataset.labels.separator=';'", *light, *more]


@pytest.fixture(scope="module")
def study(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    for strategy in ("scar", "random"):
        given = overrides(
            table, f"completion={strategy}", f"paths.output_dir={folder}", f"paths.store_dir={folder}/store"
        )
        with initialize_config_module("scar.conf", version_base="1.3"):
            composed = compose("config", given)
        run_job(build(composed), folder / "food" / "jobs" / strategy, settings=composed, overrides=given)
    write_report(folder / "food", resamples=100, formats=[])
    return folder / "food"


def test_rows_hold_the_scores_of_labels_and_no_others(study):
    rows = load_rows(study)
    scored = rows[rows.stage == "evaluation"]
    assert set(scored.metric) == set(LABEL_SCORES)
    by_label = rows[(rows.stage == "labels") & (rows.subject == "primary")]
    for metric in LABEL_SCORES:
        whole = scored[(scored.metric == metric) & (scored.subject == "primary")].value.iloc[0]
        assert by_label[(by_label.metric == metric) & (by_label.completion == "scar")].value.mean() == pytest.approx(
            whole
        )
    assert scored[scored.metric == "average_precision"].value.min() > 0.5  # a third by chance
    assert "reference" not in set(rows.estimator)
    sizes = rows[(rows.stage == "dataset") & (rows.metric == "n_primary")]
    labels = rows[(rows.metric == "class_size") & (rows.subject == "primary")]
    assert sizes.value.iloc[0] != labels.value.sum()


def test_plans_count_samples_of_the_same_number_and_say_what_they_bring(study):
    rows = load_rows(study)
    added = rows[rows.metric == "added"].groupby(["completion", "fraction"]).value.sum().unstack("completion")
    assert (added.scar == added.random).all()
    brings = rows[rows.metric == "obtained"].groupby(["completion", "fraction"]).value.sum()
    assert (brings >= added.stack().reorder_levels([1, 0]).reindex(brings.index)).all()
    plan = pd.read_csv(next((study / "jobs" / "scar").glob("plan-scar-25pct.csv")))
    assert set(plan.class_name) <= set(NAMES)


def test_predictions_are_kept_for_every_label(study):
    found = load_predictions(study / "jobs" / "scar")
    assert found["labels"].shape == found["primary/uniform"].shape == (120, 3)
    assert set(np.unique(found["primary"])) <= {0, 1}


def test_report_terminal_and_card_show_labels_and_say_what_does_not_apply(study):
    said = load_study(study)
    (table,) = label_tables(said)
    assert table.values.class_name.tolist() == NAMES
    text = (study / "report.txt").read_text()
    assert "Test balanced accuracy by label" in text
    assert "Brings" in text
    assert "average precision" in text
    page, card = (study / "report.html").read_text(), (study / "card.md").read_text()
    for note in (SEVERAL_NOTE, COUNTING_NOTE):
        assert note[:60] in page
        assert note[:60] in card
    assert "balanced accuracy" in card
    assert json.loads((study / "croissant.json").read_text())["recordSet"]
    compared = pd.read_csv(study / "arms.csv")
    assert set(compared.metric) == set(LABEL_SCORES) < set(EVERY_SCORE) | {"average_precision"}
    exact = compared[(compared.metric == "matched_balanced_accuracy") & (compared.subject == "primary")]
    assert exact.value.iloc[0] == pytest.approx(
        load_rows(study)
        .query("stage == 'evaluation' and subject == 'primary' and metric == 'matched_balanced_accuracy'")
        .value.iloc[0]
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("regime=long_tailed", "regime=long_tailed.* does not go with samples that carry several labels"),
        ("completion=tempered", "completion=tempered does not go with samples that carry several labels"),
        ("selection=k_center", "selection=k_center does not go with .*it ranks samples of one class"),
        ("pool=unlabelled", "pool=unlabelled does not go with"),
        ("pool.mix=balanced", "pool.mix=balanced"),
        ("budgets.driver=reference", "budgets.driver=reference does not go with"),
        ("probe=reference", "probe.monitor=train_accuracy does not go with"),
        ("objective=accuracy", "objective='accuracy' must end in a score, one of matched_balanced_accuracy"),
        ("deployment={wine: 1.0}", "are taken by scar.characterize alone"),
        ("experiment=need_study", "task=.* does not go with"),
    ],
)
def test_what_does_not_apply_is_refused_by_name_before_any_work(table, given, message):
    with initialize_config_module("scar.conf", version_base="1.3"):
        composed = compose("config", [given, *overrides(table)] if "experiment" in given else overrides(table, given))
    with pytest.raises(ConfigError, match=message):
        build(composed)

"""Encoders compared: ranks, controls, the front, and whether they agree."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from synthetic import decided, write_study

from scar.job.rows import load_predictions, save_predictions
from scar.reporting.content import gather
from scar.reporting.figures.pareto_figure import draw_fronts
from scar.reporting.formats.card import make_cards
from scar.reporting.study_folder import load_study
from scar.reporting.tables.encoder_agreement import encoder_agreements
from scar.reporting.tables.encoder_verdicts import size_sentence
from scar.reporting.tables.leaderboard import best_first, leaderboards, on_front
from scar.reporting.tables.leaderboard_table import leaderboard_tables

STRENGTH = {"minilm": 0.9, "wordllama": 0.7, "random_vectors": 0.4}
SPEED = {"minilm": 100.0, "wordllama": 5000.0, "random_vectors": 4000.0}
LABELS = np.arange(600) % 4


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three encoders of known strength and speed on one dataset, three seeds."""
    groups = [("wordnet_glosses", encoder, "text", "natural") for encoder in STRENGTH]
    folder = write_study(tmp_path_factory.mktemp("outputs") / "boards", groups=groups, strategies=("scar",), n_test=600)
    for job in (folder / "jobs").iterdir():
        _, encoder, _, _, _, seed, _ = job.name.split("-")
        rng = np.random.default_rng(int(seed))
        hard = np.random.default_rng(9).random(600)  # the same items are hard for all encoders
        arms = [name for name in load_predictions(job) if name != "labels" and "/" not in name]
        right = hard + 0.1 * rng.standard_normal(600) < STRENGTH[encoder]
        made = decided(np.where(right, LABELS, (LABELS + 1) % 4))
        save_predictions(job / "predictions.npz", LABELS, dict.fromkeys(arms, made))
        status = json.loads((job / "status.json").read_text())
        cost = {"samples": 1000, "rows": 1000, "embedded": 1000, "reused": 0, "seconds": 1000 / SPEED[encoder]}
        status["encoder"] = {**cost, "dimension": 256, "parameters": 8_000_000}
        (job / "status.json").write_text(json.dumps(status))
    return load_study(folder)


def test_encoders_stand_in_the_order_of_their_strength_with_their_cost(study):
    (board,) = leaderboards(study)
    assert board.frame.encoder.tolist() == ["minilm", "wordllama", "random_vectors"]
    for metric in ("matched_balanced_accuracy", "accuracy"):
        ranks = board.frame[[f"{metric}_rank", f"{metric}_rank_low", f"{metric}_rank_high"]]
        assert ranks.to_numpy().tolist() == [[1, 1, 1], [2, 2, 2], [3, 3, 3]]
        assert (
            (board.frame[f"{metric}_low"] < board.frame[metric]) & (board.frame[metric] < board.frame[f"{metric}_high"])
        ).all()
    assert board.frame.samples_per_second.tolist() == pytest.approx([100, 5000, 4000])
    assert board.frame.bytes_per_sample.tolist() == [1024] * 3
    assert board.frame.pareto.tolist() == [True, True, False]


def test_encoders_are_ranked_by_matched_decisions_for_raw_ones_favour_what_training_held_most_of(study, tmp_path):
    """WordLlama has most raw answers right, all in one class that half of the test items have; matched, MiniLM wins."""
    shutil.copytree(study.folders[0], folder := tmp_path / "boards")
    labels = np.where(np.arange(600) < 300, 0, np.arange(600) % 4)
    for job in (folder / "jobs").iterdir():
        encoder, right = job.name.split("-")[1], np.random.default_rng(1).random(600) < 0.8
        often = np.where(labels == 0, labels, (labels + right) % 4)
        made = decided(np.where(right, labels, (labels + 1) % 4))
        if encoder == "wordllama":
            made = replace(made, raw=np.where(labels == 0, 0, made.raw), uniform=often)
        if encoder == "random_vectors":
            made = decided((labels + 1) % 4)
        save_predictions(job / "predictions.npz", labels, {"total": made})
        status = json.loads((job / "status.json").read_text())
        status["files"] = {}
        (job / "status.json").write_text(json.dumps(status))
    (board,) = leaderboards(load_study(folder))
    assert board.frame.encoder.tolist() == ["minilm", "wordllama", "random_vectors"]
    assert board.frame.accuracy_rank.tolist() == [2, 1, 3]
    assert board.sentences[0].startswith("MiniLM shows this dataset best: first by matched balanced accuracy")


def test_a_control_that_loses_is_said_to_lose_and_one_that_does_not_is_a_warning(study):
    (board,) = leaderboards(study)
    assert "The control random vectors loses to every other encoder." in board.sentences
    board = replace(board, frame=board.frame.assign(matched_balanced_accuracy_rank_low=[1, 2, 2]))
    assert any(
        s.startswith("Warning: the control random vectors is not shown to lose to WordLlama") for s in board.sentences
    )
    assert board.sentences[0].startswith("MiniLM shows this dataset best")


def test_the_best_encoder_is_answered_for_first_and_datasets_stay_where_they_are(study):
    (board,) = leaderboards(study)
    groups = study.groups()
    assert [group["encoder"] for group in groups] != board.frame.encoder.tolist()
    assert [group["encoder"] for group in best_first(groups, [board])] == board.frame.encoder.tolist()
    assert best_first(groups, []) == groups
    others = [{**groups[0], "dataset": "a"}, *groups, {**groups[0], "dataset": "z"}, {**groups[1], "dataset": "z"}]
    found = best_first(others, [board])
    assert found[0] == others[0]
    assert found[-2:] == others[-2:]
    assert [group["encoder"] for group in found[1:-2]] == board.frame.encoder.tolist()
    content = gather(study, resamples=100, details=1)
    assert "MiniLM" in content.answers[0].label
    assert "MiniLM" in content.details[0].label
    cards = make_cards(study, content.comparison, answers=content.answers, boards=content.boards, known=content.caveats)
    assert [name.split("_")[3] for name in cards] == ["minilm", "wordllama", "random"]
    assert all(
        card.answers.label == answers.label for card, answers in zip(cards.values(), content.answers, strict=True)
    )


def test_jobs_that_kept_no_matched_decisions_have_no_part_in_a_board(study, tmp_path):
    shutil.copytree(study.folders[0], folder := tmp_path / "boards")
    seeds = set()
    for job in sorted((folder / "jobs").iterdir()):
        _, encoder, _, _, _, seed, _ = job.name.split("-")
        seeds.add(seed)
        if seed == min(seeds) and encoder == "minilm":
            with np.load(job / "predictions.npz") as archive:
                kept = {name: archive[name] for name in archive.files if "/" not in name}
            np.savez(job / "predictions.npz", **kept)
            status = json.loads((job / "status.json").read_text())
            (job / "status.json").write_text(json.dumps({**status, "files": {}}))
    (board,) = leaderboards(load_study(folder))
    assert set(board.frame.seeds) == {len(seeds) - 1}


def test_what_no_other_beats_is_the_front():
    accuracy, speed = np.array([0.9, 0.8, 0.8, 0.7, 0.95]), np.array([10.0, 50.0, 40.0, np.nan, 1.0])
    assert on_front(accuracy, speed).tolist() == [True, True, False, False, True]


def test_the_report_has_a_leaderboard_an_agreement_and_a_front(study):
    tables, boards = leaderboard_tables(study, resamples=300)
    assert [table.name for table in tables] == ["leaderboard", "agreement"]
    text = tables[0].to_markdown()
    assert "MiniLM" in text
    assert "1 [1, 1]" in text
    assert "(control)" in text
    (drawing,) = draw_fronts(boards)
    assert "MiniLM 90" in drawing.alt or "MiniLM 8" in drawing.alt
    drawing.close()


def test_encoders_whose_needs_follow_one_order_agree_and_opposite_ones_do_not(study):
    rows = study.rows
    own = rows[(rows.metric == "step_size") & (rows.estimator == study.driver) & (rows.subject == "primary")]
    rng = np.random.default_rng(0)
    for opposite, verdict in ((False, "confirmed"), (True, "refuted")):
        sign = np.where(own.encoder == "wordllama", -1.0 if opposite else 1.0, 1.0)
        order = own.class_id.to_numpy(dtype=float) * sign
        rows = study.rows.copy()
        rows.loc[own.index, "value"] = 5000 + 500 * order + rng.normal(0, 5, len(own))
        (found,) = encoder_agreements(replace(study, rows=rows), resamples=200)
        row = found.order.set_index("quantity").loc["step_size"]
        assert row.within == pytest.approx(1.0)
        assert row.verdict == verdict
        pair = found.pairs[found.pairs.quantity == "step_size"].iloc[0]
        assert pair.spearman == pytest.approx(-1.0 if opposite else 1.0)
        assert any(f"Which classes need more, model-agnostic: {verdict}" in s for s in found.sentences)
    assert set(found.pairs["first"]) | set(found.pairs["second"]) == {"minilm", "wordllama"}  # no control


def test_equal_plans_share_all_their_ids(study):
    (found,) = encoder_agreements(study)
    row = found.pairs[found.pairs.quantity == "selected"].iloc[0]
    assert row.overlap == 1.0
    assert 0 < row.by_chance < 0.01


def test_one_encoder_has_no_board(tmp_path):
    alone = load_study(write_study(tmp_path / "alone", strategies=("scar",)))
    assert leaderboard_tables(alone) == ([], [])


@pytest.mark.parametrize(
    ("ratio", "spread", "verdict"), [(1.0, 0.02, "confirmed"), (3.0, 0.02, "refuted"), (1.4, 0.5, "undecided")]
)
def test_the_size_is_model_agnostic_where_all_ratios_lie_within_the_factor(ratio, spread, verdict):
    rng = np.random.default_rng(0)
    base = 9000 * np.exp(rng.normal(0, 0.5, 6))  # seeds differ, encoders are compared seed by seed
    sizes = pd.DataFrame({"minilm": base, "wordllama": base * ratio * np.exp(rng.normal(0, spread, 6))})
    assert f"model-agnostic (within a factor of 1.5): {verdict}." in size_sentence(sizes)
    sizes["tfidf"] = np.inf
    assert verdict in size_sentence(sizes)  # an encoder that calls no size enough is left out
    assert "undefined" in size_sentence(sizes[["tfidf"]])


def test_the_pair_that_refutes_is_named_though_another_ratio_is_larger():
    rng = np.random.default_rng(1)
    base = 9000 * np.exp(rng.normal(0, 0.3, 6))
    wide = base * 4 * np.exp(rng.normal(0, 3.0, 6))
    sizes = pd.DataFrame({"minilm": base, "wordllama": base * 2.2 * np.exp(rng.normal(0, 0.02, 6)), "tfidf": wide})
    said = size_sentence(sizes)
    assert ": refuted. MiniLM asks for" in said
    assert "TF-IDF" not in said
    _, high = map(float, re.search(r"\[(\S+), (\S+)\]", said).groups())
    assert high < 1 / 1.5
    assert "TF-IDF" in size_sentence(sizes[["minilm", "tfidf"]])


def test_what_the_class_sizes_alone_would_say_stands_beside_the_agreement(study):
    rows = study.rows.copy()
    held = rows[(rows.metric == "class_size") & (rows.subject == "primary")]
    planned = rows[(rows.metric == "added") & (rows.fraction == rows.fraction.max())]
    rows.loc[held.index, "value"] = held.class_id.to_numpy(dtype=float) * 100 + 50
    rows.loc[planned.index, "value"] = planned.class_id.to_numpy(dtype=float) * 10
    (found,) = encoder_agreements(replace(study, rows=rows))
    order = found.order.set_index("quantity")
    assert order.loc["added", "class_size"] == pytest.approx(1.0)
    assert order.loc["added", "control"] == pytest.approx(1.0)
    assert any("the class sizes alone 1.00, the control 1.00" in s for s in found.sentences)

"""The experiment that holds the inspection against what people said of CIFAR-10."""

import json
import sys

import numpy as np
import pytest
from data.cifar_files import write_cifar10
from sklearn.metrics import average_precision_score

from experiments.label_verdicts import __main__ as command
from experiments.label_verdicts.verdicts import average_precision, read_verdicts, score


def verdict(row, label, **votes):
    return {
        "id": row,
        "given_original_label": label,
        "mturk": {"given": 0, "guessed": 0, "neither": 0, "both": 0} | votes,
    }


def written(path, verdicts):
    path.write_text(json.dumps(verdicts))
    return path


def test_a_label_is_wrong_where_fewer_than_three_of_five_stand_by_it(tmp_path):
    of_all = [verdict(3, 1, given=3, guessed=2), verdict(9, 2, given=2, both=1, neither=2), verdict(4, 0, guessed=5)]
    found = read_verdicts(written(tmp_path / "v.json", of_all))
    assert found.row.tolist() == [3, 9, 4]
    assert found.given.tolist() == [False, True, True]
    assert found.given_or_both.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("content", "message"), [([{"id": 1}], "holds no verdicts"), ([verdict(1, 0, given=5)] * 2, "judges image 1 twice")]
)
def test_a_file_that_holds_something_else_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_verdicts(written(tmp_path / "v.json", content))


def test_a_perfect_order_has_precision_one_and_a_random_one_the_share_of_wrong_labels(tmp_path):
    rng = np.random.default_rng(0)
    of_all = [verdict(row, 0, **({"guessed": 5} if row % 4 == 0 else {"given": 5})) for row in range(400)]
    verdicts = read_verdicts(written(tmp_path / "v.json", of_all))
    found = {"both": verdicts.given.to_numpy() + 0.5 * rng.random(400), "probes": rng.random(400)}
    table = score(verdicts, found, resamples=200).set_index(["reading", "witness"])
    assert table.value["given", "both"] == 1
    assert table.above["given", "both"] == 1
    chance = table.loc[("given", "probes")]
    assert chance.chance == 0.25
    assert chance.low < 0.25 + 0.03
    assert chance.value == pytest.approx(0.25, abs=0.06)


def test_average_precision_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    wrong, doubt = rng.random((5, 60)) < 0.3, rng.random((5, 60))
    expected = [average_precision_score(*each) for each in zip(wrong, doubt, strict=True)]
    assert average_precision(wrong, doubt) == pytest.approx(expected)


@pytest.mark.slow
def test_the_command_ranks_the_judged_images_of_a_copy(tmp_path, monkeypatch, capsys):
    labels = write_cifar10(tmp_path / "cifar-10-batches-py")["test_batch labels"]
    of_all = [verdict(row, int(labels[row]), **({"guessed": 5} if row % 3 == 0 else {"given": 5})) for row in range(12)]
    path = written(tmp_path / "v.json", of_all)
    monkeypatch.chdir(tmp_path)
    given = ["verdicts", str(path), f"dataset.root={tmp_path}", "--encoders", "pixels_pca", "--folds", "2"]
    monkeypatch.setattr(sys, "argv", given)
    command.main()
    assert "| pixels_pca" in capsys.readouterr().out
    assert (tmp_path / "outputs/label_verdicts/table.csv").read_text().count("pixels_pca") == 6
    others = [each | {"given_original_label": (each["given_original_label"] + 1) % 10} for each in of_all]
    written(path, others)
    with pytest.raises(ValueError, match="has another label than the verdicts say"):
        command.main()

import gzip
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from scar.data.sources.digits import Digits


def test_the_digits_of_scikit_learn_are_read_without_loss(tmp_path: Path) -> None:
    samples = Digits().load(tmp_path)
    original = load_digits()
    np.testing.assert_array_equal(np.rint(np.asarray(samples.payloads["image"]) / 255 * 16), original.images)
    np.testing.assert_array_equal(samples.labels, original.target)
    assert samples.class_names == tuple("0123456789")


def test_the_test_part_has_the_class_mix_of_the_whole(tmp_path: Path) -> None:
    samples = Digits(test_fraction=0.25).load(tmp_path)
    test = np.bincount(samples.labels[samples.splits == "test"])
    assert test.sum() == round(0.25 * 1797)
    assert np.all(np.abs(test - 0.25 * np.bincount(samples.labels)) < 1)


def test_sizes_are_kept(tmp_path: Path) -> None:
    samples = Digits(train_size=300, test_size=100).load(tmp_path)
    assert (samples.splits == "train").sum() == 300
    assert (samples.splits == "test").sum() == 100


def test_a_truncated_table_is_named(tmp_path: Path) -> None:
    content = gzip.compress(b"0,1,2\n" * 1000)
    (tmp_path / "digits.csv.gz").write_bytes(content[:-10])
    with pytest.raises(ValueError, match=r"digits\.csv\.gz is damaged"):
        Digits(root=str(tmp_path)).load(tmp_path)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"digits\.csv\.gz does not exist; point dataset\.root"):
        Digits(root=str(tmp_path)).load(tmp_path)

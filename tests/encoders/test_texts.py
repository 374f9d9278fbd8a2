from types import SimpleNamespace

import numpy as np
import pytest

from scar.encoders._texts import PADDING_SHARE, group_by_length, text_positions


@pytest.mark.parametrize("seed", range(5))
def test_batches_hold_every_text_once_with_little_padding_and_within_the_limit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.permutation(np.r_[rng.integers(1, 513, 300), rng.geometric(0.05, 700), 0])
    batches = group_by_length(lengths, 4096)
    assert sorted(np.concatenate(batches)) == sorted(np.flatnonzero(lengths))
    padded = np.array([lengths[rows].max() * len(rows) for rows in batches])
    filled = np.array([lengths[rows].sum() for rows in batches])
    assert (padded - filled <= PADDING_SHARE * padded).all()
    assert (padded <= 4096).all()
    assert len(batches) < 120  # not a batch for each text
    assert all(lengths[rows[0]] == lengths[rows].max() for rows in batches)


def test_a_text_longer_than_a_batch_stands_alone_and_no_text_makes_no_batch() -> None:
    assert [rows.tolist() for rows in group_by_length(np.array([5, 50, 6]), 10)] == [[1], [2], [0]]
    assert group_by_length(np.array([0, 0]), 10) == []
    assert group_by_length(np.array([], int), 10) == []


def test_positions_of_the_roberta_family_count_from_the_padding() -> None:
    bert = SimpleNamespace(max_position_embeddings=512, model_type="bert", pad_token_id=0)
    roberta = SimpleNamespace(max_position_embeddings=514, model_type="xlm-roberta", pad_token_id=1)
    assert text_positions(bert) == text_positions(roberta) == 512
    assert text_positions(SimpleNamespace(text_config=roberta)) == 512
    assert text_positions(SimpleNamespace(model_type="t5")) is None

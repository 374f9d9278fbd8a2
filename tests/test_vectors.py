import numpy as np
import pytest

from scar.common.vectors import CHUNK, unit_rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_keep_their_precision_and_zeros_stay_or_become_undefined(dtype):
    rows = np.array([[3, 4], [0, 0]], dtype)
    scaled = unit_rows(rows)
    assert scaled.dtype == dtype
    assert np.allclose(scaled, [[0.6, 0.8], [0, 0]])
    assert np.isnan(unit_rows(rows, zero_length=np.nan)[1]).all()
    assert rows.tolist() == [[3, 4], [0, 0]]
    assert unit_rows(rows, copy=False) is rows


def test_chunks_do_not_show():
    rows = np.random.default_rng(0).normal(size=(CHUNK + 5, 3))
    assert np.array_equal(unit_rows(rows)[-7:], unit_rows(rows[-7:]))

from pathlib import Path

import numpy as np
import pytest

from scar.data.catalogue import load_catalogue, save_catalogue
from scar.data.samples import Samples


@pytest.mark.parametrize("labels", [np.array([0, 1, 1]), None], ids=["labels", "no labels"])
def test_what_is_saved_is_loaded(tmp_path: Path, labels: np.ndarray | None) -> None:
    samples = Samples(
        ids=np.array(["a", "b", "ü"]),
        payloads={"text": ["x", "y", "z"]},
        labels=labels,
        class_names=() if labels is None else ("cat", "dog"),
        splits=np.array(["train", "train", "test"]),
        groups={"speaker": np.array(["s", "s", "t"])},
        notes=("one",),
    )
    save_catalogue(tmp_path, samples, ("two",))
    loaded = load_catalogue(tmp_path)
    assert loaded.ids.tolist() == ["a", "b", "ü"]
    assert loaded.splits.tolist() == ["train", "train", "test"]
    assert (loaded.labels is None) == (labels is None)
    if labels is not None:
        np.testing.assert_array_equal(loaded.labels, labels)
    assert loaded.class_names == samples.class_names
    assert loaded.notes == ("one", "two")
    assert loaded.group("speaker").tolist() == ["s", "s", "t"]
    with pytest.raises(ValueError, match=r"split\.group='author' is not a column of this dataset; it has: speaker"):
        loaded.group("author")

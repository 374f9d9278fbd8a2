"""Texts that are longer than their encoder reads are counted by a job and told among the caveats."""

import pandas as pd
import pytest

from scar.encoders.minilm import MiniLM
from scar.encoders.text_lengths import MOST, Truncation, count_truncated
from scar.job.measurements import measure_job
from scar.reporting.tables.flags import flag_lines
from scar.store.store import Store
from scar.studies.common import open_job

pytest.importorskip("tokenizers")


def test_texts_beyond_the_limit_are_counted(tmp_path):
    long = "word " * 600
    found = count_truncated(MiniLM(), ["short", (long, "two"), long, "one"])
    assert (found.counted, found.longer, found.limit) == (5, 2, MiniLM().max_tokens)
    assert found.share == 0.4
    found.save(tmp_path / "truncation.json")
    assert Truncation.load(tmp_path / "truncation.json") == found
    assert count_truncated(MiniLM(), []) == Truncation()
    assert count_truncated(MiniLM(), ["a"] * (2 * MOST)).counted == MOST


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rows = [(f"{word} " * (600 if i < 6 else 3), word) for word in ("good", "bad") for i in range(60)]
    path = tmp_path_factory.mktemp("texts") / "texts.csv"
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(("encoder", "told"), [("minilm", True), ("wordllama", False)])
def test_a_job_tells_them(table, tmp_path, encoder, told):
    given = [f"dataset.root={table}", f"encoder={encoder}", "dataset=table", "subsets=quick", "forecast.compositions=0"]
    rows = measure_job(open_job([*given, "trainer.threads=1"], Store(tmp_path)), digest="job").frame()
    lines = [line for _, line in flag_lines(rows, ["heldout"]) if "longer than the encoder reads" in line]
    if not told:  # the average of all words
        assert not lines
        return
    assert rows[rows.metric == "truncated"].value.tolist() == [0.1]
    assert len(lines) == 1
    assert "0.1" in lines[0]

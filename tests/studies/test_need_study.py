"""The study of needs takes in the paper's data where a copy is there."""

from pathlib import Path

import pytest

from scar.studies.common import OWN, compose_config
from scar.studies.need import need_study
from scar.sweep.present import is_present


@pytest.mark.parametrize("there", [True, False])
def test_own_copies_are_a_part_of_their_own(tmp_path, monkeypatch, capsys, there):
    asked = {}

    def run_study(settings, *, out, **_):
        asked[out.relative_to(tmp_path)] = settings.datasets
        out.mkdir(exist_ok=True)
        (out / "table.md").write_text("")

    is_present.cache_clear()
    monkeypatch.setattr(need_study, "run_study", run_study)
    (tmp_path / "ag_news").mkdir()
    for part in ("train", "test") if there else ():
        (tmp_path / "ag_news" / f"{part}.csv").write_text('"1","a title","a text"\n')
    config = compose_config([f"paths.data_dir={tmp_path}", f"paths.store_dir={tmp_path / 'store'}"])
    need_study.run(config, tmp_path)
    assert asked.pop(Path("own"), {}) == ({"ag_news": OWN["ag_news"]} if there else {})
    assert set(asked) == {Path(), Path("small")}
    assert "cifar10 is left out" in " ".join(capsys.readouterr().out.split())

"""Sounds without a sound and pictures of one colour are counted and listed among the samples to look at."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scar.data.blank import blank_rows
from scar.data.media import AudioFile, ImageFiles
from scar.inspection.kinds import BLANK
from scar.inspection.options import InspectionSettings
from scar.studies.common import compose_config
from scar.studies.inspection_study import run


def test_sounds_that_are_silent_or_constant_are_blank(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    time = np.arange(1600) / 16000
    tone = 0.5 * np.sin(2 * np.pi * 440 * time)
    waves = {
        "tone": tone, "quiet": 0.01 * tone, "zeros": 0 * tone, "constant": 0 * tone + 0.3,
        "opposite": np.stack([tone, -tone], axis=1), "stereo": np.stack([tone, 0 * tone], axis=1),
    }  # fmt: skip
    for name, wave in waves.items():
        soundfile.write(tmp_path / f"{name}.wav", wave, 16000, subtype="FLOAT")
    rows = blank_rows([AudioFile(tmp_path / f"{name}.wav") for name in waves])
    assert [list(waves)[row] for row in rows] == ["zeros", "constant", "opposite"]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_pictures_of_one_colour_are_blank(tmp_path, mode):
    plain = Image.new("RGB", (8, 8), (10, 200, 30))
    spotted = plain.copy()
    spotted.putpixel((3, 3), (255, 0, 0))
    for name, image in (("plain", plain), ("spotted", spotted)):
        image.convert(mode).save(tmp_path / f"{name}.png")
    assert blank_rows(ImageFiles([tmp_path / "spotted.png", tmp_path / "plain.png"])).tolist() == [1]
    arrays = np.stack([np.asarray(spotted), np.asarray(plain)])
    assert blank_rows(arrays).tolist() == [1]
    assert not len(blank_rows(["", "text"]))


def test_an_inspection_lists_them(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(60):
        values = rng.integers(0, 255, (8, 8, 3)) if i % 20 else np.full((8, 8, 3), i)
        path = tmp_path / "data" / "ab"[i % 2] / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values.astype(np.uint8)).save(path)
    config = compose_config(
        [
            *("dataset=image_folder", f"dataset.root={tmp_path / 'data'}", "encoder=pixels", "subsets=quick"),
            *("probe=converged", "forecast.compositions=0", "trainer.threads=1", "foundation.estimators=[heldout]"),
            f"paths.store_dir={tmp_path / 'store'}",
        ]
    )
    inspection = run(
        config, tmp_path / "study" / "jobs" / "one", InspectionSettings(neighbours=5, far=5, effect_seeds=0, most=2)
    )
    assert set(inspection.of(BLANK)["id"]) == {"a/00.png", "a/20.png", "a/40.png"}
    written = pd.read_csv(tmp_path / "study" / "jobs" / "one" / "inspection.csv")
    assert (written.kind == BLANK).sum() == 3
    assert "a/20.png" in (tmp_path / "study" / "jobs" / "one" / "inspection.html").read_text()

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from media_files import write_tone

from scar.data.duplicates import exact_duplicates
from scar.data.fetch import OFFLINE, FetchError
from scar.data.fingerprint import fingerprint
from scar.data.paths import data_folder
from scar.data.sources.tux_speech import TuxSpeech

ANIMALS = ("frog", "cat", "dog", "cow", "horse")
TOOLS = ("saw", "drill", "axe", "file", "nail")


def _stamp(folder: Path, category: str, name: str, text: str, languages: tuple[str, ...] = ("en", "fr", "es")) -> None:
    """A stamp with its texts, and a sound per language that tells stamp and language by its pitch."""
    place = folder / category / "some" / f"{name}.txt"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"{text}\nfr.utf8=FR {text}\nes.utf8= ES {text} \nca@valencia.utf8=no\n")
    for number, language in enumerate(languages):
        suffix = "" if language == "en" else f"_{language}"
        hertz = 200 + 100 * number + 10 * len(text)
        write_tone(place.with_name(f"{name}_desc{suffix}.ogg"), hertz, seconds=0.2)


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    """A data folder with ten stamps in three languages, an effect, and a stamp that shares the text of another."""
    folder = tmp_path / "tux_speech" / "stamps"
    for category, names in (("animals", ANIMALS), ("household", TOOLS)):
        for name in names:
            _stamp(folder, category, name, f"A {name}.")
    _stamp(folder, "animals", "frog2", "A frog")
    (folder / "animals" / "some" / "frog.ogg").write_bytes(b"an effect, no speech")
    return tmp_path


def make(**fields: object) -> TuxSpeech:
    return TuxSpeech(**{"languages": ("en", "es", "fr"), "min_class_size": 2, **fields})  # type: ignore[arg-type]


def test_speech_meets_what_is_said(stamps: Path) -> None:
    samples = make().load(stamps)
    assert len(samples) == 33
    row = samples.ids.tolist().index("animals/some/cat_desc_es.ogg")
    assert samples.payloads["text"][row] == ("ES A cat.",)
    assert samples.payloads["audio"][row].path.name == "cat_desc_es.ogg"
    assert samples.class_names == ("en", "es", "fr")
    assert samples.labels is not None
    assert samples.class_names[samples.labels[row]] == "es"
    assert samples.groups["stamp"][row] == "animals/some/cat"
    assert samples.groups["language"][row] == "es"
    english = samples.ids.tolist().index("animals/some/cat_desc.ogg")
    assert samples.payloads["text"][english] == ("A cat.",)


def test_captions_may_be_in_english_or_both_and_labels_categories(stamps: Path) -> None:
    samples = make(captions="english", label="category").load(stamps)
    row = samples.ids.tolist().index("household/some/saw_desc_fr.ogg")
    assert samples.payloads["text"][row] == ("A saw.",)
    assert samples.class_names == ("animals", "household")
    assert samples.labels is not None
    assert samples.class_names[samples.labels[row]] == "household"
    assert make(captions="both").load(stamps).payloads["text"][row] == ("FR A saw.", "A saw.")


def test_a_description_is_on_one_side_in_all_languages_and_for_all_its_stamps(stamps: Path) -> None:
    for seed in range(5):
        for label in ("language", "category"):
            samples = make(seed=seed, label=label, test_fraction=0.4).load(stamps)
            groups = samples.groups["description"]
            assert len(set(groups)) == 10
            sides = [set(samples.splits[groups == each]) for each in set(groups)]
            assert all(len(side) == 1 for side in sides)
            assert sum(side == {"test"} for side in sides) == 4
            frogs = np.char.startswith(samples.groups["stamp"], "animals/some/frog")
            assert len(set(samples.splits[frogs])) == 1
            assert not exact_duplicates(samples, "audio").across


def test_sounds_without_a_text_are_counted_in_a_note(stamps: Path) -> None:
    folder = stamps / "tux_speech" / "stamps" / "animals" / "some"
    (folder / "cow.txt").unlink()
    (folder / "dog.txt").write_text("A dog.\nfr.utf8=FR A dog.\n")
    samples = make().load(stamps)
    assert len(samples) == 33 - 3 - 1
    assert "sounds without a text left out: 1 en, 2 es, 1 fr" in samples.notes
    assert len(make(captions="english").load(stamps)) == 33 - 3


def test_languages_are_chosen_and_small_classes_left_out(stamps: Path) -> None:
    _stamp(stamps / "tux_speech" / "stamps", "space", "moon", "The moon.")
    samples = make(languages=("fr", "es"), label="category").load(stamps)
    assert set(samples.groups["language"]) == {"es", "fr"}
    assert make(label="category", min_class_size=4).load(stamps).class_names == ("animals", "household")
    assert TuxSpeech(languages=("ru", "be")).languages == ("be", "ru")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"languages": ("en", "xx")}, r"dataset\.languages=\['en', 'xx'\] must be some of be, bg"),
        ({"captions": "french"}, r"dataset\.captions='french' is unknown"),
        ({"label": "stamp"}, r"dataset\.label='stamp' is unknown"),
        ({"test_fraction": 1.0}, r"dataset\.test_fraction=1\.0 must lie"),
        ({"min_class_size": 0}, r"dataset\.min_class_size=0 must be at least 2"),
    ],
)
def test_impossible_settings_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**fields)


def test_a_text_that_is_not_utf8_is_named(stamps: Path) -> None:
    path = stamps / "tux_speech" / "stamps" / "animals" / "some" / "cow.txt"
    path.write_bytes(b"A cow.\nfr.utf8=la vache \xe9lue\n")
    with pytest.raises(ValueError, match=r"cow\.txt: byte 25 is not UTF-8"):
        make().load(stamps)


def test_the_files_follow_sounds_and_texts_and_root_names_a_copy(stamps: Path) -> None:
    source = make(root=str(stamps / "tux_speech"))
    before = fingerprint(source.files(stamps))
    assert before == fingerprint(make(root=str(stamps / "tux_speech" / "stamps")).files(stamps))
    text = next((stamps / "tux_speech").rglob("cow.txt"))
    text.write_text(text.read_text() + "de.utf8=Eine Kuh.\n")
    assert fingerprint(source.files(stamps)) != before
    with pytest.raises(FileNotFoundError, match=r"dataset\.root=.*nowhere is not a folder"):
        make(root=str(stamps / "nowhere")).files(stamps)
    with pytest.raises(ValueError, match="holds no spoken descriptions"):
        make(root=str(stamps.parent / "empty"), languages=("ru",)).load(_empty(stamps.parent / "empty"))


def _empty(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Put an apt-get and a dpkg that deliver a folder of stamps first on the path."""

    def install(source: Path) -> None:
        folder = _empty(tmp_path / "bin")
        unpack = f'mkdir -p "$3/usr/share/tuxpaint"; cp -r {source} "$3/usr/share/tuxpaint/stamps"'
        for name, body in (("apt-get", "echo x > tuxpaint-stamps-default_1_all.deb"), ("dpkg", unpack)):
            (folder / name).write_text(f"#!/bin/sh\n{body}\n")
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return install


def test_the_package_is_kept_without_its_pictures(
    stamps: Path, apt: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scar.data.sources.tux_speech._INSTALLED", stamps / "not installed")
    source = stamps / "tux_speech" / "stamps"
    (source / "animals" / "some" / "cat.png").write_bytes(b"picture")
    apt(source)
    cache = _empty(stamps / "cache")
    assert len(make().load(cache)) == 33
    assert (cache / "tux_speech" / "stamps" / "animals" / "some" / "cat.txt").is_file()
    assert not list(cache.rglob("*.png"))


def test_what_cannot_be_fetched_is_named_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scar.data.sources.tux_speech._INSTALLED", tmp_path / "not installed")
    monkeypatch.setenv(OFFLINE, "1")
    with pytest.raises(FetchError, match=r"tux_speech: stamps not found.*\n.*Debian package tuxpaint-stamps-default"):
        make().files(tmp_path)


@pytest.mark.slow
def test_the_real_data_have_the_expected_counts() -> None:
    if not (data_folder() / "tux_speech" / "stamps").is_dir():
        pytest.skip("the stamps are not in the cache; `make data` fetches them")
    samples = TuxSpeech().load(data_folder())
    assert len(samples) == 7216
    assert (samples.splits == "test").sum() == 1397
    assert samples.labels is not None
    sizes = dict(zip(samples.class_names, np.bincount(samples.labels).tolist(), strict=True))
    assert sizes["fr"] == 927
    assert sizes["en"] == 65
    assert len(exact_duplicates(samples).across) == 1
    assert len(TuxSpeech(label="category", captions="english").load(data_folder()).class_names) == 14

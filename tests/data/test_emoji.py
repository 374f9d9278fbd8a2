import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from media_files import write_animation, write_image

from scar.data.fetch import OFFLINE, FetchError
from scar.data.fingerprint import fingerprint
from scar.data.paths import data_folder
from scar.data.source import Source
from scar.data.sources._emoji import plain_code
from scar.data.sources.animated_emoji import AnimatedEmoji
from scar.data.sources.emoji_pairs import EmojiPairs

GROUPS = {"0": "smileys", "1": "people", "2": "component"}
CODES = {**{f"1F60{i}": 0 for i in range(6)}, **{f"1F46{i}-FE0F-200D-1F33E": 1 for i in range(8)}, "1F3FB": 2}
"""Code as emojibase spells it, and group; picture i of the list has the red level 10 + 10 · i (twitter: 5 more)."""


def _emojibase(root: Path) -> None:
    entries: list[dict[str, object]] = [{"label": "regional indicator A", "hexcode": "1F1E6", "type": 1}]
    for code, group in CODES.items():
        entry = {"label": f"label {code}", "hexcode": code, "group": group, "tags": [f"tag {code}", f"label {code}"]}
        entries.append({**entry, "skins": [{"label": "skin", "hexcode": f"{code}-1F3FC", "group": group}]})
    for name, content in (("en/data.json", entries), ("meta/groups.json", {"groups": GROUPS})):
        path = root / "emojibase-data" / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(content))


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A node_modules with two vendors, who spell codes without and with the variation selector, and two animations packages."""
    root = tmp_path / "node_modules"
    _emojibase(root)
    for place, code in enumerate(CODES):
        for vendor, name in (("google", plain_code(code)), ("twitter", code.lower())):
            folder = root / f"emoji-datasource-{vendor}" / "img" / vendor / "64"
            write_image(folder / f"{name}.png", (10 + 10 * place + 5 * (vendor == "twitter"), 0, 0), (64, 64))
            write_image(folder / f"{name}-1f3fc.png", (255, 255, 255), (64, 64))
        write_image(root / "@lobehub/fluent-emoji-3d/assets" / f"{code.lower()}.webp", (200, 0, 0), (256, 256))
        folder = root / "@lobehub" / f"fluent-emoji-anim-{1 + place % 2}" / "assets"
        write_animation(folder / f"{code.lower()}.webp", frames=1 + place % 4, step=20)
    return root


def test_pictures_meet_their_names_whatever_the_spelling_of_the_code(modules: Path) -> None:
    for vendor in ("google", "twitter"):
        samples = EmojiPairs(root=str(modules), vendor=vendor, min_class_size=2).load(modules)
        assert len(samples) == 14
        assert samples.class_names == ("smileys", "people")
        assert samples.labels is not None
        assert np.bincount(samples.labels).tolist() == [6, 8]
        plain = {plain_code(code): (place, code) for place, code in enumerate(CODES)}
        for key, picture, captions in zip(
            samples.ids, samples.payloads["image"], samples.payloads["text"], strict=True
        ):
            place, code = plain[key.removeprefix(f"{vendor}-")]
            assert picture.getpixel((0, 0))[0] == 10 + 10 * place + 5 * (vendor == "twitter")
            assert captions == (f"label {code}", f"tag {code}")
        assert samples.notes[0] == "classes below dataset.min_class_size=2 left out: component (1)"


def source_files(vendor: str, modules: Path) -> list[Path]:
    return EmojiPairs(root=str(modules), vendor=vendor, min_class_size=2).files(modules)


def test_both_pictures_of_an_emoji_are_on_one_side_the_same_for_every_vendor(modules: Path) -> None:
    tests = []
    for vendor in ("google", "twitter", "both", "fluent", "all"):
        samples = EmojiPairs(root=str(modules), vendor=vendor, min_class_size=2, seed=3).load(modules)
        codes = samples.groups["code_point"]
        side = {code: set(samples.splits[codes == code]) for code in set(codes)}
        assert all(len(parts) == 1 for parts in side.values())
        tests.append({code for code, parts in side.items() if parts == {"test"}})
        assert len(samples) == len(samples.groups["code_point"]) == 14 * {"both": 2, "all": 3}.get(vendor, 1)
        assert len(source_files(vendor, modules)) == 2 + {"both": 2, "all": 3}.get(vendor, 1)
    assert all(each == tests[0] for each in tests)
    assert len(tests[0]) == 3
    other = EmojiPairs(root=str(modules), min_class_size=2, seed=4).load(modules)
    assert {*other.groups["code_point"][other.splits == "test"]} != tests[0]


def test_class_sizes_are_counted_in_code_points(modules: Path) -> None:
    for vendor in ("google", "both"):
        with pytest.raises(ValueError, match=r"dataset\.min_class_size=7 leaves 1 classes"):
            EmojiPairs(root=str(modules), vendor=vendor, min_class_size=7).load(modules)


def test_animations_meet_their_names(modules: Path) -> None:
    source = AnimatedEmoji(root=str(modules), parts=(2, 1), min_class_size=2)
    samples = source.load(modules)
    assert source.parts == (1, 2)
    assert len(samples) == 14
    assert samples.class_names == ("smileys", "people")
    plain = {plain_code(code): place for place, code in enumerate(CODES)}
    for key, handle, captions in zip(samples.ids, samples.payloads["video"], samples.payloads["text"], strict=True):
        assert handle.length() == 1 + plain[key] % 4
        assert plain_code(captions[0].removeprefix("label ")) == key
    still = sum(place % 4 == 0 for place in list(plain.values())[:14])
    assert f"{still} of 14 animations have a single frame" in samples.notes


def test_animations_without_movement_and_other_parts_may_be_left_out(modules: Path) -> None:
    fields = {"root": str(modules), "min_class_size": 2}
    assert len(AnimatedEmoji(parts=(1,), **fields).load(modules)) == 7  # type: ignore[arg-type]
    moving = AnimatedEmoji(parts=(1, 2), min_frames=2, **fields).load(modules)  # type: ignore[arg-type]
    assert len(moving) == 10
    assert all(handle.length() > 1 for handle in moving.payloads["video"])


@pytest.mark.parametrize(
    "make", [lambda root: EmojiPairs(root=root, min_class_size=2), lambda root: AnimatedEmoji(root=root)]
)
def test_the_files_follow_pictures_and_names(modules: Path, make: Callable[[str], Source]) -> None:
    source = make(str(modules))
    before = fingerprint(source.files(modules))
    assert fingerprint(source.files(modules)) == before
    data = modules / "emojibase-data" / "en" / "data.json"
    data.write_text(data.read_text().replace("tag 1F600", "tug 1F600"))
    changed = fingerprint(source.files(modules))
    assert changed != before
    picture = next(path for path in source.located(modules)[2].iterdir() if "1f3fc" not in path.name)
    picture.write_bytes(picture.read_bytes() + b" ")
    assert fingerprint(source.files(modules)) != changed


def test_damaged_names_are_reported_with_their_place(modules: Path) -> None:
    data = modules / "emojibase-data" / "en" / "data.json"
    source = EmojiPairs(root=str(modules), min_class_size=2)
    whole = data.read_text()
    for old, new, message in (
        ('"label": "label 1F600", ', "", r"data\.json, \[1\] has no 'label'"),
        ('"label 1F600", "hexcode"', '"label 1F600" "hexcode"', r"data\.json, line 1, column \d+: Expecting ','"),
        ('"group": 0', '"group": "0"', r"\[1\]: 'group' is a str, not int"),
    ):
        assert old in whole
        data.write_text(whole.replace(old, new, 1))
        with pytest.raises(ValueError, match=message):
            source.load(modules)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"vendor": "apple"}, r"dataset\.vendor='apple' is unknown; use google, twitter, fluent, both or all"),
        ({"test_fraction": 0.0}, r"dataset\.test_fraction=0\.0 must lie"),
        ({"min_class_size": 1}, r"dataset\.min_class_size=1 must be at least 2"),
    ],
)
def test_impossible_settings_of_the_pairs_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmojiPairs(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parts": (5,)}, r"dataset\.parts=\[5\] must be some of \[1, 2, 3, 4\]"),
        ({"parts": ()}, r"dataset\.parts=\[\] must be"),
        ({"min_frames": 0}, r"dataset\.min_frames=0 must be at least 1"),
    ],
)
def test_impossible_settings_of_the_animations_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AnimatedEmoji(**fields)  # type: ignore[arg-type]


def test_what_cannot_be_fetched_is_named_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OFFLINE, "1")
    with pytest.raises(
        FetchError, match=r"emoji_pairs: emojibase-data not found.*\n.*npm package emojibase-data@17\.0\.0"
    ):
        EmojiPairs().files(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"does not hold emojibase-data; run `npm install emojibase-data@17\.0\.0`"
    ):
        EmojiPairs(root=str(tmp_path)).files(tmp_path)


def _cached(*packages: str) -> None:
    missing = [name for name in packages if not (data_folder() / "node_modules" / name).is_dir()]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not in the cache; `make data` fetches it")


@pytest.mark.slow
def test_the_real_pictures_have_the_expected_counts() -> None:
    _cached("emojibase-data", "emoji-datasource-google", "emoji-datasource-twitter")
    for vendor, factor in (("google", 1), ("twitter", 1), ("both", 2)):
        samples = EmojiPairs(vendor=vendor).load(data_folder())
        assert len(samples) == 1906 * factor
        assert (samples.splits == "test").sum() == 381 * factor
        assert samples.labels is not None
        assert np.bincount(samples.labels).tolist() == [
            n * factor for n in (169, 386, 159, 131, 218, 85, 264, 224, 270)
        ]
        assert samples.notes[1] == f"{1906 * factor} pairs with {12017 * factor} captions, 1 to 17 each"
        assert samples.payloads["image"][0].size == (64, 64)


@pytest.mark.slow
def test_the_real_animations_have_the_expected_counts() -> None:
    _cached("emojibase-data", "@lobehub/fluent-emoji-anim-2")
    samples = AnimatedEmoji().load(data_folder())
    assert samples.labels is not None
    assert dict(zip(samples.class_names, np.bincount(samples.labels).tolist(), strict=True)) == {
        "smileys-emotion": 68,
        "people-body": 92,
        "travel-places": 38,
        "objects": 124,
        "symbols": 45,
    }
    assert (samples.splits == "test").sum() == 73
    assert "195 of 367 animations have a single frame" in samples.notes
    assert samples.payloads["video"][0].frames(4).shape == (4, 256, 256, 3)

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scar.data.fingerprint import fingerprint
from scar.data.samples import TEST, TRAIN
from scar.data.sources._table_files import read_table
from scar.data.sources.captioned_scenes import CaptionedScenes
from scar.data.sources.pairs_manifest import PairsManifest, read_rows
from scar.reduction.manifest import COLUMNS, make_manifest, write_manifest

SCENES = CaptionedScenes(train_size=300, test_size=60, imbalance=1.0)


@pytest.fixture(scope="module")
def scenes():
    return SCENES.load(Path())


def manifest_of(scenes, kept=lambda rows: rows % 2 == 0):
    train = np.flatnonzero(scenes.splits == TRAIN)
    flags = kept(np.arange(len(train)))
    original = [scenes.payloads["text"][row][0] for row in train]
    return make_manifest(
        ids=scenes.ids[train],
        cluster=scenes.labels[train],
        kept=flags,
        reason=np.where(flags, "kept: uniform", "left out: uniform"),
        original=original,
        generated=[f"generated, “{row}”\nof two lines" for row in train],
        refined=[f"{caption} and more" for caption in original],
        pair_score=np.where(train % 7, train / 1000, np.nan),
    )


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_what_is_written_is_read(tmp_path, scenes, suffix):
    manifest = manifest_of(scenes)
    path = write_manifest(manifest, tmp_path / "deep" / f"manifest{suffix}")
    rows, columns = read_rows(path), read_table(path, COLUMNS).columns
    for name in ("ids", "kept", "refined"):
        assert list(getattr(rows, name)) == list(getattr(manifest, name)), name
    for name in ("reason", "original", "generated", "image"):
        assert ["" if value is None else value for value in columns[name]] == list(getattr(manifest, name)), name
    assert [int(value) for value in columns["cluster"]] == manifest.cluster.tolist()
    scores = np.array([np.nan if value in (None, "") else float(value) for value in columns["pair_score"]])
    np.testing.assert_allclose(scores, manifest.pair_score)
    assert np.isnan(scores).any()
    assert len(rows.ids) == 300
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_pair_that_is_kept_several_times_is_there_several_times(tmp_path, scenes, suffix):
    manifest = manifest_of(scenes)
    times = manifest.kept.astype(int)
    times[[0, 4]] = (3, 2)
    path = write_manifest(replace(manifest, times=times), tmp_path / f"manifest{suffix}")
    found = PairsManifest(root=str(path), source=SCENES).load(tmp_path)
    first, third = str(manifest.ids[0]), str(manifest.ids[4])
    ids = found.ids[found.splits == TRAIN].tolist()
    assert ids[:6] == [first, f"{first}~2", f"{first}~3", str(manifest.ids[2]), third, f"{third}~2"]
    assert len(ids) == times.sum()
    rows = [found.ids.tolist().index(name) for name in (first, f"{first}~3")]
    assert found.payloads["text"][rows[0]] == found.payloads["text"][rows[1]]
    np.testing.assert_array_equal(found.payloads["image"][rows[0]], found.payloads["image"][rows[1]])


def test_a_number_of_times_that_does_not_fit_is_refused(tmp_path, scenes):
    manifest = manifest_of(scenes)
    with pytest.raises(ValueError, match=r"times\[0\]=0 does not fit kept=True"):
        replace(manifest, times=np.zeros(len(manifest.ids), np.int64))
    path = write_manifest(manifest, tmp_path / "manifest.csv")
    path.write_text(path.read_text().replace(",1\n", ",many\n", 1))
    with pytest.raises(ValueError, match="column 'times': 'many' must be a whole number from 1 to 1000"):
        PairsManifest(root=str(path), source=SCENES).load(tmp_path)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_order_of_the_pairs_does_not_change_the_file(tmp_path, scenes, suffix):
    manifest = manifest_of(scenes)
    shuffled = np.random.default_rng(0).permutation(300)
    other = make_manifest(**{name: [column[row] for row in shuffled] for name, column in vars(manifest).items()})
    paths = [write_manifest(each, tmp_path / f"{i}{suffix}") for i, each in enumerate((manifest, other))]
    assert fingerprint(paths[:1]) == fingerprint(paths[1:])


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(tmp_path, scenes, monkeypatch):
    path = write_manifest(manifest_of(scenes), tmp_path / "manifest.csv")
    before = path.read_bytes()

    def fail(columns, where):
        where.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr("scar.reduction.manifest._write_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        write_manifest(manifest_of(scenes), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_dataset_keeps_the_kept_pairs_with_refined_captions_and_the_whole_test_part(tmp_path, scenes):
    path = write_manifest(manifest_of(scenes), tmp_path / "manifest.parquet")
    source = PairsManifest(root=str(path), source=SCENES)
    assert source.modalities == ("image", "text")
    assert source.files(tmp_path)[0] == path
    reduced = source.load(tmp_path)
    train, test = reduced.splits == TRAIN, reduced.splits == TEST
    place = {name: row for row, name in enumerate(scenes.ids.tolist())}
    assert reduced.ids[train].tolist() == scenes.ids[:300:2].tolist()
    assert reduced.ids[test].tolist() == scenes.ids[300:].tolist()
    for row, name in enumerate(reduced.ids.tolist()):
        (original,) = scenes.payloads["text"][place[name]]
        assert reduced.payloads["text"][row] == (f"{original} and more" if train[row] else original,)
        assert np.array_equal(reduced.payloads["image"][row], scenes.payloads["image"][place[name]])
        assert reduced.labels[row] == scenes.labels[place[name]]
    assert reduced.notes[-1] == "150 of 300 training pairs kept, with the captions of the manifest"
    assert set(reduced.groups) == {"scene", "mismatched", "duplicate_of"}


def test_images_beside_the_manifest_need_no_source(tmp_path):
    for row in range(10):
        Image.new("RGB", (4, 4), (row, 0, 0)).save(tmp_path / f"{row}.png")
    manifest = make_manifest(
        ids=[f"id{row}" for row in range(10)],
        cluster=np.zeros(10),
        kept=np.arange(10) < 8,
        reason=[""] * 10,
        original=[f"caption {row}" for row in range(10)],
        image=[f"{row}.png" for row in range(10)],
    )
    path = write_manifest(manifest, tmp_path / "manifest.csv")
    source = PairsManifest(root=str(path), test_fraction=0.25)
    samples = source.load(tmp_path)
    assert samples.labels is None
    assert np.sum(samples.splits == TEST) == 2
    assert samples.payloads["text"][3] == ("caption 3",)
    assert samples.payloads["image"][3].getpixel((0, 0)) == (3, 0, 0)
    before = fingerprint(source.files(tmp_path))
    Image.new("RGB", (4, 4), "white").save(tmp_path / "9.png")
    assert fingerprint(source.files(tmp_path)) == before
    Image.new("RGB", (4, 4), "white").save(tmp_path / "0.png")
    assert fingerprint(source.files(tmp_path)) != before
    (tmp_path / "3.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"manifest\.csv, line 5, column 'image'.*3\.png is not a file"):
        source.load(tmp_path)


def edited(tmp_path, scenes, change, suffix=".csv"):
    """Write a manifest as CSV, change its lines, and return its path."""
    path = write_manifest(manifest_of(scenes), tmp_path / f"manifest{suffix}")
    text = path.read_text()
    path.write_text(change(text))
    assert path.read_text() != text
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.replace("train-00004,", "elsewhere,"),
            r"line \d+: the id 'elsewhere' is not in captioned_scenes; write",
        ),
        (lambda t: t.replace("train-00004,", "test-00004,"), r"line \d+: the id 'test-00004' is of the test part"),
        (
            lambda t: t.replace("train-00004,", "train-00002,"),
            r"line \d+: the id 'train-00002' is that of .*line \d+ already",
        ),
        (lambda t: t.replace("train-00004,", " ,"), r"line \d+, column 'id': it is empty"),
        (lambda t: t.replace(",yes,", ",maybe,", 1), r"line \d+, column 'kept': 'maybe' is neither yes nor no"),
        (lambda t: t.replace(",kept,", ",taken,"), r"line 1: the column 'kept' is missing"),
        (lambda t: t.replace(",yes,", ",no,"), r"keeps none of its 300 pairs"),
        (lambda t: t.replace('"', "", 1), r"line \d+"),
        (lambda t: t.split("\n")[0] + "\n", r"holds no rows"),
        (lambda t: t + "\x00", r"line \d+"),
    ],
)
def test_a_broken_manifest_is_refused_with_the_row_and_the_way_out(tmp_path, scenes, change, message):
    path = edited(tmp_path, scenes, change)
    with pytest.raises(ValueError, match=message):
        PairsManifest(root=str(path), source=SCENES).load(tmp_path)


def test_a_kept_pair_without_a_caption_is_refused(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("id,kept,refined\ntrain-00000,yes,  \n")
    with pytest.raises(
        ValueError, match=r"line 2, column 'refined': a kept pair has no caption; write one, or set kept to no"
    ):
        PairsManifest(root=str(path), source=SCENES).load(tmp_path)


def test_a_manifest_of_other_data_is_refused(tmp_path, scenes):
    manifest = manifest_of(scenes)
    path = write_manifest(manifest, tmp_path / "manifest.parquet")
    larger = CaptionedScenes(train_size=310, test_size=60, imbalance=1.0)
    with pytest.raises(ValueError, match=r"does not list 10 training pairs of captioned_scenes, such as 'train-00300'"):
        PairsManifest(root=str(path), source=larger).load(tmp_path)


def test_a_path_that_leaves_the_folder_is_refused(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("id,kept,refined,image\na,yes,one,../../etc/passwd\n")
    with pytest.raises(ValueError, match=r"line 2, column 'image'"):
        PairsManifest(root=str(path)).load(tmp_path)


def test_a_truncated_parquet_file_is_refused(tmp_path, scenes):
    path = write_manifest(manifest_of(scenes), tmp_path / "manifest.parquet")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match="is not a whole Parquet file"):
        PairsManifest(root=str(path), source=SCENES).load(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"root": None}, r"dataset\.root is not given: point it at a manifest"),
        ({"root": "nowhere.csv"}, r"dataset\.root=nowhere\.csv is not a file"),
    ],
)
def test_a_manifest_that_is_not_there_is_named(settings, message):
    with pytest.raises(FileNotFoundError, match=message):
        PairsManifest(source=SCENES, **settings).load(Path())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ["a", "a"]}, r"2 pairs have 1 ids"),
        ({"refined": ["", "x"]}, r"the kept pair 'a' \(row 0\) has no refined caption"),
        ({"reason": [""]}, r"lengths differ: .*reason has 1"),
        ({"refined": ["x"]}, r"lengths differ: ids has 2, refined has 1"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(change, message):
    given = {"ids": ["a", "b"], "cluster": [0, 0], "kept": [True, False], "reason": ["", ""], "original": ["x", "y"]}
    with pytest.raises(ValueError, match=message):
        make_manifest(**{**given, **change})


def test_another_suffix_is_refused_and_the_columns_are_those_that_were_promised(tmp_path, scenes):
    with pytest.raises(ValueError, match=r"a manifest is \.parquet or \.csv"):
        write_manifest(manifest_of(scenes), tmp_path / "manifest.txt")
    path = write_manifest(manifest_of(scenes), tmp_path / "manifest.csv")
    assert path.read_text().split("\n")[0] == ",".join(COLUMNS)


def test_sizes_belong_to_the_source():
    with pytest.raises(ValueError, match=r"belong to dataset\.source"):
        PairsManifest(source=SCENES, train_size=10)

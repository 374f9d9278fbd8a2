"""The ten datasets of the paper in the formats that they are published in, with a few samples whose classes differ."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cifar_files import write_cifar10, write_cifar100
from media_files import write_tone, write_video
from PIL import Image
from wikipedia_files import write_wikipedia

WORDS = (("a", "cat"), ("dogs", "bark"), ("the", "at", "and"))
"""Of each kind of caption; the tiny tokenizers know them."""
KINDS = len(WORDS)


def sentence(number: int, take: int = 0) -> str:
    """Return a text of the kind number mod 3, another one for every number and take."""
    rng = np.random.default_rng([number, take])
    return " ".join(rng.choice(WORDS[number % KINDS], rng.integers(2, 9)))


def photograph(number: int, kind: int) -> bytes:
    """Return a JPEG of noise around a colour that tells the kind."""
    rng = np.random.default_rng(number)
    colour = np.random.default_rng([7, kind]).integers(40, 216, 3)
    pixels = np.clip(colour + rng.integers(-40, 40, (30, 40, 3)), 0, 255)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


def put(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def imagenet(folder: Path) -> None:
    synsets = ("n01440764", "n01443537", "n02012849")
    for part, size in (("train", 30), ("val", 8)):
        for kind, synset in enumerate(synsets):
            for i in range(size):
                put(folder / part / synset / f"{synset}_{i}.JPEG", photograph(1000 * kind + i, kind))
    put(folder / "LOC_synset_mapping.txt", "".join(f"{synset} thing {synset}\n" for synset in synsets))


def hub_copy(folder: Path, names: list[str], columns: tuple[str, ...], config: str, data: str) -> None:
    """Write Parquet files with the features in their metadata, and the README that names them."""
    import datasets

    features = {"label": datasets.ClassLabel(names=names)} | {each: datasets.Value("string") for each in columns}
    for split, size in (("train", 30 * len(names)), ("test", 8 * len(names))):
        rows: dict[str, list[Any]] = {each: [sentence(i, len(split)) for i in range(size)] for each in columns}
        rows["label"] = [i % len(names) for i in range(size)]
        path = folder / data / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict(rows, features=datasets.Features(features)).to_parquet(str(path))
    files = "".join(f"  - split: {split}\n    path: {data}/{split}-*\n" for split in ("train", "test"))
    put(folder / "README.md", f"---\nconfigs:\n- config_name: {config}\n  data_files:\n{files}---\n# A dataset\n")


def ag_news(folder: Path) -> None:
    hub_copy(folder, ["World", "Sports", "Business", "Sci/Tech"], ("text",), "default", "data")


def dbpedia(folder: Path) -> None:
    names = ["Company", "EducationalInstitution", "Artist", "Athlete", "OfficeHolder", "Village"]
    hub_copy(folder, names, ("title", "content"), "dbpedia_14", "dbpedia_14")


def wikipedia(folder: Path) -> None:
    write_wikipedia(folder, size=200, text=sentence)


def flickr30k(folder: Path, size: int = 120) -> None:
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["raw", "sentids", "split", "filename", "img_id"])
    for i in range(size):
        put(folder / "flickr30k-images" / f"{i}.jpg", photograph(i, i % KINDS))
        captions = json.dumps([sentence(i, k) for k in range(5)])
        writer.writerow([captions, json.dumps(list(range(5))), "train", f"{i}.jpg", i])
    put(folder / "flickr_annotations_30k.csv", table.getvalue())


def coco_captions(folder: Path) -> None:
    for part, numbers in (("train2014", range(90)), ("val2014", range(90, 120))):
        images, annotations = [], []
        for i in numbers:
            name = f"COCO_{part}_{i:012d}.jpg"
            put(folder / part / name, photograph(i, i % KINDS))
            images.append({"license": 3, "file_name": name, "height": 30, "width": 40, "id": i})
            annotations += [{"image_id": i, "id": 10 * i + k, "caption": sentence(i, k)} for k in range(5)]
        content = {"info": {}, "images": images, "licenses": [], "annotations": annotations}
        put(folder / "annotations" / f"captions_{part}.json", json.dumps(content))


def msr_vtt(folder: Path) -> None:
    for part, numbers in (("train_9k", range(75)), ("test_1k", range(75, 99))):
        videos = []
        for i in numbers:
            write_video(folder / "video" / f"video{i}.mp4", frames=9, step=5 * (i % KINDS), first=20 + i)
            captions: Any = [sentence(i, k) for k in range(4)] if part == "train_9k" else sentence(i)
            name = f"video{i}"
            videos.append({"video_id": name, "video": f"{name}.mp4", "caption": captions, "source": "MSR-VTT"})
        put(folder / f"msrvtt_{part}.json", json.dumps(videos))


def audiocaps(folder: Path) -> None:
    for part, sounds, numbers in (("train", "train", range(75)), ("val", "validation", range(75, 99))):
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["audiocap_id", "youtube_id", "start_time", "caption"])
        for i in numbers:
            write_tone(folder / sounds / f"id{i}.wav", hertz=8 + 12 * (i % KINDS) + 0.05 * i, seconds=1 + 0.01 * i)
            for k in range(1 if part == "train" else 5):
                writer.writerow([10 * i + k, f"id{i}", 30, sentence(i, k)])
        put(folder / f"{part}.csv", table.getvalue())


WRITERS: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "cifar10": (lambda folder: write_cifar10(folder / "cifar-10-batches-py", 50), []),
    "cifar100": (lambda folder: write_cifar100(folder / "cifar-100-python", 1200, 300), []),
    "imagenet": (imagenet, []),
    "ag_news": (ag_news, []),
    "dbpedia": (dbpedia, []),
    "wikipedia": (
        wikipedia,
        ["dataset.num_classes=3", "dataset.file_fraction=1.0", "dataset.topics_file={root}/topics.csv"],
    ),
    "flickr30k": (flickr30k, []),
    "coco_captions": (coco_captions, []),
    "msr_vtt": (msr_vtt, []),
    "audiocaps": (audiocaps, []),
}
"""What writes a dataset into the folder of `dataset.root`, and the settings that its smallness asks for."""

"""The rows about extraction: what reading, decoding, sorting and writing cost beside the encoder itself."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from experiments.benchmarks.timing import Row, interleave
from scar.data.paths import data_folder
from scar.data.samples import Samples
from scar.data.sources.fashion_mnist import FashionMnist
from scar.data.sources.wordnet_glosses import WordnetGlosses
from scar.encoders._efficientnet import load_model
from scar.encoders._images import resize_batch
from scar.encoders._texts import group_by_length
from scar.encoders.efficientnet_lite import EfficientNetLite
from scar.encoders.embeddings.extraction import extract
from scar.encoders.encoder import Encoder
from scar.encoders.minilm import MiniLM


def extraction_rows(quick: bool, repetitions: int) -> list[Row]:
    """`extract` against the bare forward pass of the same network on tensors that are ready."""
    sizes = {"train_size": 1000 if quick else 2000, "test_size": 200}
    images, texts = FashionMnist(**sizes).load(data_folder()), WordnetGlosses(**sizes).load(data_folder())
    lite0, minilm = EfficientNetLite(backend="torch", device="cpu"), MiniLM(device="cpu")
    rows = [compare(images, lite0, network_on_pixels(images, lite0), repetitions)]
    forward, padding = network_on_tokens(texts, minilm)
    rows.append(compare(texts, minilm, forward, repetitions))
    rows.append(Row("padding among the tokens of minilm", 100 * padding, 10, "%", at_least=False))
    return rows


def compare(samples: Samples, encoder: Encoder, forward: Callable[[], object], repetitions: int) -> Row:
    def ours() -> None:
        with tempfile.TemporaryDirectory() as folder:
            extract(samples, ready, Path(folder), progress=False)

    ready = Opened(encoder)
    times = interleave(f"extraction {encoder.name}", {"scar": ours, "forward": forward}, repetitions)
    rate = len(samples) / times["scar"].median
    value = 100 * times["forward"].median / times["scar"].median
    note = f"{len(samples)} samples, {rate:.0f} per second"
    return Row(f"extraction with {encoder.name}: share of its bare forward pass", value, 95, "%", note=note)


class Opened:
    """An encoder whose network is loaded already: loading is no part of the comparison."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self._embed = encoder, encoder.open()

    def __getattr__(self, name: str) -> object:
        return getattr(self._encoder, name)

    def open(self) -> Callable:
        return self._embed


def network_on_pixels(samples: Samples, encoder: EfficientNetLite) -> Callable[[], None]:
    network, images = load_model(encoder.weights()[0]), samples.payloads["image"]
    starts = range(0, len(images), encoder.batch_size)
    batches = [resize_batch(images[i : i + encoder.batch_size], encoder.resolution) for i in starts]
    return lambda: forward_all(lambda pixels: network(pixels), batches)


def network_on_tokens(samples: Samples, encoder: MiniLM) -> tuple[Callable[[], None], float]:
    from transformers import AutoModel, AutoTokenizer

    folder = encoder.weights()[0].parent
    tokenizer, network = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    texts = sorted(samples.payloads["text"], key=len, reverse=True)
    batches = []
    for start in range(0, len(texts), encoder.batch_size):
        part = texts[start : start + encoder.batch_size]
        widths = np.array([len(ids) for ids in tokenizer(part)["input_ids"]])
        for rows in group_by_length(widths, encoder.batch_tokens):
            batches.append(tokenizer([part[row] for row in rows], padding=True, return_tensors="pt"))
    masks = [batch["attention_mask"].numpy() for batch in batches]
    padding = 1 - sum(mask.sum() for mask in masks) / sum(np.size(mask) for mask in masks)
    return lambda: forward_all(lambda tokens: network(**tokens), batches), float(padding)


@torch.inference_mode()
def forward_all(network: Callable, batches: list) -> None:
    for batch in batches:
        network(batch)

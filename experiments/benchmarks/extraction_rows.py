"""The rows about extraction: what reading, decoding, sorting and writing cost beside the encoder itself."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from experiments.benchmarks.timing import Row, interleave
from scar.common.extras import is_installed
from scar.data.paths import data_folder
from scar.data.samples import Samples
from scar.data.sources.fashion_mnist import FashionMnist
from scar.data.sources.wordnet_glosses import WordnetGlosses
from scar.encoders._efficientnet import load_model, onnxruntime_session
from scar.encoders._images import resize_batch
from scar.encoders._pretrained import TorchEncoder
from scar.encoders._texts import group_by_length
from scar.encoders.efficientnet_lite import EfficientNetLite
from scar.encoders.embeddings.extraction import extract
from scar.encoders.encoder import Encoder
from scar.encoders.minilm import MiniLM


def extraction_rows(quick: bool, repetitions: int) -> list[Row]:
    """`extract` against the bare forward pass of the same network on inputs that are ready, and the backends against each other."""
    sizes = {"train_size": 1000 if quick else 2000, "test_size": 200}
    images, texts = FashionMnist(**sizes).load(data_folder()), WordnetGlosses(**sizes).load(data_folder())
    lite0, minilm = EfficientNetLite(device="cpu"), MiniLM(device="cpu")
    rows = [compare(images, lite0, network_on_pixels(images, lite0), repetitions)]
    forward, padding = network_on_tokens(texts, minilm)
    rows.append(compare(texts, minilm, forward, repetitions))
    rows.append(Row("padding among the tokens of minilm", 100 * padding, 10, "%", at_least=False))
    if is_installed("openvino"):
        rows += backend_rows(images, EfficientNetLite, "onnxruntime", {"float32": 1.5, "bfloat16": 3}, repetitions)
        rows += backend_rows(texts, MiniLM, "torch", {"float32": None, "bfloat16": 3}, repetitions)
    return rows


def backend_rows(
    samples: Samples, kind: type[TorchEncoder], without: str, bars: Mapping[str, float | None], repetitions: int
) -> list[Row]:
    """OpenVINO against the backend that is taken where it is not installed; the bar of bfloat16 supposes AMX."""
    base = kind(device="cpu", backend=without)
    encoders = {"without": base} | {
        precision: kind(device="cpu", backend="openvino", precision=precision) for precision in bars
    }
    payloads = samples.payloads[base.modality]
    order = sorted(range(len(payloads)), key=lambda row: -len(payloads[row]))  # of texts; images have one size
    batches = [
        [payloads[row] for row in order[start : start + base.batch_size]]
        for start in range(0, len(order), base.batch_size)
    ]
    opened = {case: encoder.open() for case, encoder in encoders.items()}
    rows = {case: np.concatenate([embed(batch) for batch in batches]) for case, embed in opened.items()}
    length = np.linalg.norm(rows["without"], axis=1)
    times = interleave(
        f"openvino {base.name}",
        {case: (lambda embed=embed: [embed(batch) for batch in batches]) for case, embed in opened.items()},
        repetitions,
    )
    table = []
    for precision, bar in bars.items():
        off = float((np.linalg.norm(rows[precision] - rows["without"], axis=1) / length).max())
        note = f"{len(order) / times[precision].median:.0f} per second, rows off by {off:.1e} of their length"
        gain = times["without"].median / times[precision].median
        table.append(Row(f"{base.name} by OpenVINO in {precision}, vs {without}", gain, bar, note=note))
    return table


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
    network, images = encoder.place(load_model(encoder.weights()[0])), samples.payloads["image"]
    run = onnxruntime_session(network, encoder.resolution) if encoder.backend == "onnxruntime" else None
    run = run or encoder.inference(network, lambda inputs: network(inputs["pixels"]))
    starts = range(0, len(images), encoder.batch_size)
    batches = [{"pixels": resize_batch(images[i : i + encoder.batch_size], encoder.resolution)} for i in starts]
    return lambda: forward_all(run, batches)


def network_on_tokens(samples: Samples, encoder: MiniLM) -> tuple[Callable[[], None], float]:
    from transformers import AutoModel, AutoTokenizer

    folder = encoder.weights()[0].parent
    tokenizer, network = AutoTokenizer.from_pretrained(folder), encoder.place(AutoModel.from_pretrained(folder))
    run = encoder.inference(network, lambda inputs: network(**inputs).last_hidden_state.mean(dim=1))
    texts = sorted(samples.payloads["text"], key=len, reverse=True)
    batches = []
    for start in range(0, len(texts), encoder.batch_size):
        part = texts[start : start + encoder.batch_size]
        widths = np.array([len(ids) for ids in tokenizer(part)["input_ids"]])
        for rows in group_by_length(widths, encoder.batch_tokens):
            batches.append(dict(tokenizer([part[row] for row in rows], padding=True, return_tensors="np")))
    masks = [batch["attention_mask"] for batch in batches]
    padding = 1 - sum(mask.sum() for mask in masks) / sum(np.size(mask) for mask in masks)
    return lambda: forward_all(run, batches), float(padding)


def forward_all(run: Callable, batches: list) -> None:
    for batch in batches:
        run(batch)

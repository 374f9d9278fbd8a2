"""Names and numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

NAMES = {
    "scar": "SCAR", "scar_even": "SCAR, even need", "random": "random", "class_average": "class average", "primary": "primary", "total": "total",
    "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro-F1",
    "worst_class_accuracy": "worst-class accuracy",
    "heldout": "held-out", "reference": "reference", "paper": "paper", "learning_curve": "learning curve",
    "published": "published", "efficientnet_lite0": "EfficientNet-Lite0", "fashion_mnist": "Fashion-MNIST",
    "wordnet_glosses": "WordNet glosses", "minilm": "MiniLM", "wordllama": "WordLlama", "digits": "Digits",
    "tfidf": "TF-IDF + SVD", "pixels_pca": "pixels + PCA", "random_network": "random network",
    "random_vectors": "random vectors", "pixels": "pixels", "long_tailed": "long-tailed", "natural": "natural", "missing_class": "missing classes", "shift": "shift",
    "long_tailed_10": "long-tailed 10 : 1", "long_tailed_50": "long-tailed 50 : 1",
    "long_tailed_100": "long-tailed 100 : 1", "noisy_10": "10 % noise", "noisy_20": "20 % noise",
    "noisy_40": "40 % noise", "water_filling": "water filling", "long_tail_first": "long tail first",
    "slice_tuner": "Slice Tuner", "error_proportional": "error-proportional", "oracle": "oracle",
    "cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet1k": "ImageNet-1K", "agnews": "AG-News",
    "dbpedia": "DBpedia", "wikipedia": "Wikipedia", "flickr30k": "Flickr30k", "coco": "COCO", "msrvtt": "MSR-VTT",
    "audiocaps": "AudioCaps", "resnet": "ResNet", "vit": "ViT", "dino": "DINO", "bert": "BERT",
    "roberta": "RoBERTa", "gpt2": "GPT-2", "clip": "CLIP", "coca": "CoCa", "siglip": "SigLIP",
    "emoji_pairs": "Emoji", "tux_speech": "Tux speech", "animated_emoji": "Animated emoji",
    "coco_captions": "COCO", "msr_vtt": "MSR-VTT", "lite0_minilm": "Lite0 + MiniLM", "joint": "joint",
    "frames_minilm": "Lite0 frames + MiniLM", "speech_minilm": "speech + MiniLM", "videoclip_xl": "VideoCLIP-XL",
    "videoclip": "VideoCLIP", "xclip": "X-CLIP", "clap": "CLAP", "pengi": "Pengi",
    "imagenet": "ImageNet-1K", "imagenet_a": "ImageNet-A", "imagenet_r": "ImageNet-R", "imagenet_v2": "ImageNet-V2",
    "imagenet_sketch": "ImageNet-Sketch", "ag_news": "AG-News", "resnet50": "ResNet-50", "vit_b16": "ViT-B/16",
    "dinov2": "DINOv2",
}  # fmt: skip
MISSING = "missing"
ONE_MODALITY = frozenset(
    (
        *(
            "cifar10",
            "cifar100",
            "imagenet",
            "imagenet1k",
            "imagenet_a",
            "imagenet_r",
            "imagenet_v2",
            "imagenet_sketch",
        ),
        *("digits", "fashion_mnist", "ag_news", "agnews", "dbpedia", "wikipedia", "wordnet_glosses"),
    )
)
"""Data of one modality, which goes without saying; of all others it is named."""


def name_of(key: object) -> str:
    """Display name of a dataset, encoder, strategy or estimator; unknown names stay as they are."""
    return NAMES.get(str(key), str(key))


def title_of(key: object) -> str:
    """Display name with a capital first letter."""
    name = name_of(key)
    return name[:1].upper() + name[1:]


def group_label(group: Mapping[str, Any], *, separator: str = " · ") -> str:
    """One line for a group: dataset, as ``Flickr30k (Text)``, encoder, regime unless it is the plain one, further axes."""
    dataset = name_of(group.get("dataset", ""))
    if dataset and group["dataset"] not in ONE_MODALITY and group.get("modality"):
        dataset = f"{dataset} ({str(group['modality']).capitalize()})"
    parts = [dataset, name_of(group.get("encoder", ""))]
    if group.get("regime") not in (None, "", "none", "natural", "plain"):
        parts.append(name_of(group["regime"]))
    parts += [f"{k}={v}" for k, v in group.items() if k not in ("dataset", "encoder", "modality", "regime")]
    return separator.join(p for p in parts if p)


def known(value: float | None) -> bool:
    """Whether a number is there and finite."""
    return value is not None and math.isfinite(value)


def minus(text: str) -> str:
    """Replace the hyphen before a number by the minus sign."""
    return text.replace("-", "−")


def percent(fraction: float, digits: int = 1) -> str:
    """``0.0534`` → ``"5.3"`` (in percent, without the sign)."""
    return minus(f"{100 * fraction:.{digits}f}") if known(fraction) else MISSING


def share(fraction: float) -> str:
    """``0.05`` → ``"5 %"``; digits only where they are needed."""
    return f"{100 * fraction:.4g} %"


def points(difference: float, digits: int = 2) -> str:
    """``-0.0012`` → ``"−0.12"``: a signed difference in percentage points."""
    if not known(difference):
        return MISSING
    text = f"{100 * difference:+.{digits}f}"
    return minus(text) if float(text) else f"{0:.{digits}f}"


def signed(difference: float, digits: int = 3) -> str:
    """``-0.0012`` → ``"−0.001"``: a signed difference of two decimals."""
    return points(difference / 100, digits)


def points_interval(low: float, high: float, digits: int = 2) -> str:
    """``"[−0.50, +0.30]"``, or empty where the interval is undefined."""
    return f"[{points(low, digits)}, {points(high, digits)}]" if known(low) and known(high) else ""


def percent_interval(low: float, high: float, digits: int = 1) -> str:
    """``"[84.1, 85.0]"``, or empty where the interval is undefined."""
    return f"[{percent(low, digits)}, {percent(high, digits)}]" if known(low) and known(high) else ""


def count(value: float) -> str:
    """``12345.6`` → ``"12 346"`` with a thin no-break space."""
    return f"{value:,.0f}".replace(",", "\u202f").replace("-", "−") if known(value) else MISSING


def size(value: float) -> str:
    """A Foundation Data Size or need: a count, or ``met`` (0), ``unreachable`` (∞), ``undefined`` (NaN)."""
    if math.isnan(value):
        return "undefined"
    return "met" if value == 0 else ("unreachable" if math.isinf(value) else count(value))


def size_interval(low: float, high: float) -> str:
    """``"[1 019, 61 590]"``, open ends as ∞; empty where it is undefined or nothing but 0."""
    if math.isnan(low) or math.isnan(high) or high == 0:
        return ""
    return f"[{', '.join('∞' if math.isinf(end) else count(end) for end in (low, high))}]"


def decimal(value: float, digits: int = 3) -> str:
    """A plain decimal, or ``"missing"``."""
    return minus(f"{value:.{digits}f}") if known(value) else MISSING


def listing(names: list[str], limit: int = 6) -> str:
    """``"a, b and c"``; beyond `limit` names the rest is counted."""
    if len(names) > limit:
        return f"{', '.join(names[: limit - 1])} and {len(names) - limit + 1} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)

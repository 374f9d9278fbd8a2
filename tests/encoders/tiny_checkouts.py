"""Stand-in checkouts of the authors' code, in the shape of the real ones, with tiny random weights."""

import sys
from pathlib import Path
from typing import Any

from tiny_models import clip_tokenizer

VIDEOCLIP = {
    "modeling.py": """
import torch.nn as nn
from utils.text_encoder import text_encoder
from utils.vision_encoder import get_vision_encoder

class VideoCLIP_XL(nn.Module):
    def __init__(self):
        super().__init__()
        self.text_model = text_encoder.load().float()
        self.vision_model = get_vision_encoder().float()
""",
    "utils/text_encoder/__init__.py": "",
    "utils/text_encoder/text_encoder.py": """
import torch
import torch.nn as nn

class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(128, 16)

    def encode_text(self, tokens):
        return self.words(tokens).cumsum(dim=1).tanh().sum(dim=1)

def load():
    return Text()

def tokenize(texts, truncate=False):
    rows = [[ord(letter) for letter in text][:12] for text in texts]
    assert truncate
    return torch.tensor([row + [0] * (12 - len(row)) for row in rows])
""",
    "utils/vision_encoder/__init__.py": """
import torch.nn as nn

class Vision(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 56, 56)
        self.norm = nn.BatchNorm1d(16)

    def get_vid_features(self, frames):
        b, t = frames.shape[:2]
        assert frames.shape[2:] == (3, 224, 224)
        maps = self.patches(frames.flatten(0, 1)).flatten(2).tanh().mean(dim=2)
        return self.norm(maps.view(b, t, 16).cumsum(dim=1).tanh().sum(dim=1))

def get_vision_encoder():
    return Vision()
""",
}

PENGI = {
    "models/__init__.py": "",
    "models/config.py": "scale = 2.0\n",
    "models/audio.py": """
import torch.nn as nn
import models.config as config

class Base(nn.Module):
    def __init__(self, sample_rate, window_size, hop_size, mel_bins, fmin, fmax, classes_num, d_in, *rest):
        super().__init__()
        self.hop = hop_size
        self.linear = nn.Linear(hop_size, d_in)

    def forward(self, x):
        spectra = self.linear(x.unflatten(1, (-1, self.hop)) * config.scale).tanh()
        return {"embedding": spectra.cumsum(dim=1).tanh().mean(dim=1), "clipwise_output": None}
""",
    "models/pengi.py": """
import torch.nn as nn
from models.audio import Base

class Projection(nn.Module):
    def __init__(self, d_in, d_out, p=0.5):
        super().__init__()
        self.linear1 = nn.Linear(d_in, d_out, bias=False)
        self.linear2 = nn.Linear(d_out, d_out, bias=False)
        self.layer_norm = nn.LayerNorm(d_out)
        self.drop = nn.Dropout(p)

    def forward(self, x):
        first = self.linear1(x)
        return self.layer_norm(first + self.drop(self.linear2(nn.functional.gelu(first))))

class AudioEncoder(nn.Module):
    def __init__(self, audioenc_name, d_in, d_out, sample_rate, window_size, hop_size, mel_bins, fmin, fmax,
                 classes_num, specaug, mixup, use_pretrained_audioencoder, freeze_audio_encoder_weights,
                 use_precomputed_melspec, pretrained_audioencoder_path):
        super().__init__()
        assert audioenc_name == "HTSAT" and classes_num is None and pretrained_audioencoder_path is None
        self.base = Base(sample_rate, window_size, hop_size, mel_bins, fmin, fmax, classes_num, d_in,
                         specaug, mixup, use_precomputed_melspec)
        self.projection = Projection(d_in, d_out)

    def forward(self, x):
        out = self.base(x)
        return self.projection(out["embedding"]), out["clipwise_output"]
""",
    "configs/base.yml": """
text_model: 'openai/clip-vit-base-patch16'
audioenc_name: 'HTSAT'
out_emb: 12
fmin: 50
fmax: 8000
hop_size: 10
mel_bins: 64
window_size: 1024
specaug: False
mixup: False
use_pretrained_audioencoder: False
d_proj: 24
dataset_config:
  sampling_rate: 100
  duration: 7
  enc_text_len: 20
""",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def imported(folder: Path, name: str) -> Any:
    """Import a module of a checkout plainly, and forget it again."""
    import importlib

    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
        for module in [each for each in sys.modules if each.split(".")[0] in ("modeling", "utils", "models")]:
            del sys.modules[module]


def make_videoclip(folder: Path) -> Any:
    """Write a checkout with its weights; return the model of these weights."""
    import torch

    write(folder, VIDEOCLIP)
    torch.manual_seed(0)
    model = imported(folder, "modeling").VideoCLIP_XL().eval()
    torch.save(model.state_dict(), folder / "VideoCLIP-XL.bin")
    return model


def make_pengi(folder: Path, words: Path) -> tuple[Any, Any, Any]:
    """Write a checkout with its weights, and the vocabulary; return the three models of these weights."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    write(folder, PENGI)
    size = clip_tokenizer(words, 30)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    marks = {"bos_token_id": 52, "eos_token_id": 53, "pad_token_id": 53}
    text = {**sizes, "vocab_size": size, "max_position_embeddings": 30, **marks}
    config = CLIPConfig(text_config=text, vision_config={**sizes, "image_size": 8, "patch_size": 8}, projection_dim=8)
    config.save_pretrained(words)
    torch.manual_seed(0)
    source = imported(folder, "models.pengi")
    clip, projection = CLIPModel(config).eval(), source.Projection(8, 24).eval()
    audio = source.AudioEncoder("HTSAT", 12, 24, 100, 1024, 10, 64, 50, 8000, None, *[False] * 5, None).eval()
    with torch.no_grad():
        for parameter in clip.parameters():
            parameter.normal_(0, 0.3) if parameter.ndim > 1 else None
    parts = {
        "audio_encoder.": audio.state_dict(),
        "caption_encoder.base.": clip.text_model.state_dict(),
        "caption_encoder.clip_text_projection.": clip.text_projection.state_dict(),
        "caption_encoder.projection.": projection.state_dict(),
        "caption_decoder.gpt.": {"wte.weight": torch.zeros(3, 3)},
    }
    state = {f"module.{prefix}{key}": value for prefix, part in parts.items() for key, value in part.items()}
    state["module.caption_encoder.base.embeddings.position_ids"] = torch.arange(30)[None]
    torch.save({"model": state}, folder / "configs" / "base.pth")
    return audio, clip, projection

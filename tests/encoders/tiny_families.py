"""Tiny models of random weights of each family of the paper, in the files that the real ones are published in."""

import json
from pathlib import Path
from typing import Any

from tiny_models import bert_tokenizer, byte_pairs, clip_tokenizer, save, word_tokenizer

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
CLIP_MARKS = {"bos_token_id": 52, "eos_token_id": 53, "pad_token_id": 53}


def make_bert(folder: Path, positions: int = 64) -> Path:
    from transformers import BertConfig, BertModel

    bert_tokenizer(folder)
    return save(BertModel(BertConfig(vocab_size=12, max_position_embeddings=positions, **SIZES)), folder)


def make_roberta(folder: Path, positions: int = 64) -> Path:
    from transformers import RobertaConfig, RobertaModel

    size = byte_pairs(folder, "Roberta")
    config = RobertaConfig(vocab_size=size, max_position_embeddings=positions + 2, pad_token_id=1, **SIZES)
    return save(RobertaModel(config, add_pooling_layer=False), folder)


def make_gpt2(folder: Path, positions: int = 64) -> Path:
    from transformers import GPT2Config, GPT2Model

    sizes = {"n_positions": positions, "n_embd": 32, "n_layer": 2, "n_head": 4}
    config = GPT2Config(vocab_size=byte_pairs(folder, "GPT2"), bos_token_id=0, eos_token_id=0, **sizes)
    return save(GPT2Model(config), folder)


def make_resnet(folder: Path) -> Path:
    from transformers import ConvNextImageProcessor, ResNetConfig, ResNetModel

    ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=0.875).save_pretrained(folder)
    return save(ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])), folder)


def make_vit(folder: Path) -> Path:
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return save(ViTModel(ViTConfig(image_size=32, patch_size=8, **SIZES), add_pooling_layer=False), folder)


def make_dinov2(folder: Path) -> Path:
    from transformers import BitImageProcessor, Dinov2Config, Dinov2Model

    size, crop = {"shortest_edge": 36}, {"height": 28, "width": 28}
    BitImageProcessor(size=size, crop_size=crop, resample=3).save_pretrained(folder)
    sizes = {key: value for key, value in SIZES.items() if key != "intermediate_size"}
    return save(Dinov2Model(Dinov2Config(image_size=42, patch_size=14, **sizes)), folder)


def two_towers(text: int, positions: int, **image: Any) -> dict[str, Any]:
    return {
        "text_config": {**SIZES, "vocab_size": text, "max_position_embeddings": positions, **CLIP_MARKS},
        "vision_config": {**SIZES, "image_size": 32, "patch_size": 8, **image},
    }


def make_clip(folder: Path) -> Path:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return save(CLIPModel(CLIPConfig(**two_towers(clip_tokenizer(folder, 50), 50), projection_dim=24)), folder)


def make_siglip(folder: Path, positions: int = 16) -> Path:
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    SiglipImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    config = two_towers(word_tokenizer(folder, positions), positions)
    config["text_config"].update(bos_token_id=1, eos_token_id=1, pad_token_id=1)
    return save(SiglipModel(SiglipConfig(**config)), folder)


def make_xclip(folder: Path) -> Path:
    from transformers import VideoMAEImageProcessor, XCLIPConfig, XCLIPModel

    VideoMAEImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    mit = {"mit_hidden_size": 32, "mit_intermediate_size": 48, "mit_num_hidden_layers": 1, "mit_num_attention_heads": 4}
    config = two_towers(clip_tokenizer(folder, 50), 50, num_frames=4, **mit)
    return save(XCLIPModel(XCLIPConfig(**config, projection_dim=32, prompt_num_attention_heads=4)), folder)


def make_clap(folder: Path, *, fused: bool = False) -> Path:
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    extractor = ClapFeatureExtractor(feature_size=16, sampling_rate=4000, hop_length=40, max_length_s=1,
                                     fft_window_size=256, frequency_max=2000, truncation="rand_trunc")  # fmt: skip
    extractor.save_pretrained(folder)
    size = byte_pairs(folder, "Roberta")
    text = {**SIZES, "vocab_size": size, "max_position_embeddings": 66, "pad_token_id": 1}
    audio = {"spec_size": 64, "num_mel_bins": 16, "patch_size": 4, "patch_stride": [4, 4], "window_size": 4,
             "depths": [1, 1], "num_attention_heads": [2, 2], "patch_embeds_hidden_size": 8, "hidden_size": 16,
             "enable_fusion": fused}  # fmt: skip
    return save(ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=24)), folder)


_VISION = {"image_size": 32, "layers": 1, "width": 32, "patch_size": 8, "head_width": 16}
_TEXT = {"context_length": 20, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
COCA: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {**_VISION, "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
    "text_cfg": {**_TEXT, "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {**_TEXT, "attn_pooler_heads": 2},
    "custom_text": True,
}
OPEN_CLIP: dict[str, Any] = {"embed_dim": 16, "vision_cfg": _VISION, "text_cfg": _TEXT}
MEAN, STD = [0.4, 0.5, 0.6], [0.3, 0.25, 0.2]


def make_open_clip(root: Path, model: dict[str, Any]) -> Path:
    """Write a model of open_clip as it is pushed to the hub."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    card = {"model_cfg": model, "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (root / "open_clip_config.json").write_text(json.dumps(card))
    torch.manual_seed(0)
    made = open_clip.create_model(f"local-dir:{root}")
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(3) if parameter.ndim > 1 else None
    state = {key: value.clone().contiguous() for key, value in made.state_dict().items()}
    save_file(state, root / "open_clip_model.safetensors", metadata={"format": "pt"})
    return root

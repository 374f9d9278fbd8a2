"""The two towers of a pair model: transformers from scratch, or small ones over image features that are locked."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerBase

from scar.reduction.pair_model_config import PairModelConfig


class ClipTowers(nn.Module):
    """CLIP of transformers with random weights.

    Args:
        config: of the pair model.
        tokenizer: of the captions.
    """

    def __init__(self, config: PairModelConfig, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__()
        self.clip = CLIPModel(_clip_config(config, tokenizer))

    @property
    def logit_scale(self) -> Tensor:
        """Log of the scale of the cosines."""
        scale: Tensor = self.clip.logit_scale
        return scale

    def image(self, pixels: Tensor) -> Tensor:
        """Return embeddings [B, E] of images [B, H, W, 3] of 0..255."""
        scaled = (pixels.permute(0, 3, 1, 2).float() - 127.5) / 127.5
        features: Tensor = self.clip.visual_projection(self.clip.vision_model(pixel_values=scaled).pooler_output)
        return features

    def text(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return [B, E] the state of the last token of each text [B, T], which has seen all others."""
        mask = (torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]).long()
        states = self.clip.text_model(input_ids=tokens, attention_mask=mask).last_hidden_state
        last = states[torch.arange(len(tokens), device=tokens.device), lengths.long() - 1]
        projected: Tensor = self.clip.text_projection(last)
        return projected


class LockedTowers(nn.Module):
    """Two perceptrons of one hidden layer: over locked image features (Zhai et al., 2022, LiT), and over a bag of words.

    Args:
        config: of the pair model.
        tokenizer: of the captions.
        inputs: dimensions of the image features.
    """

    def __init__(self, config: PairModelConfig, tokenizer: PreTrainedTokenizerBase, inputs: int) -> None:
        super().__init__()
        hidden = 4 * config.width
        self.picture = nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, config.embed_dim))
        self.words = nn.EmbeddingBag(len(tokenizer), config.width, mode="mean", padding_idx=tokenizer.pad_token_id)
        self.caption = nn.Sequential(
            nn.LayerNorm(config.width), nn.Linear(config.width, hidden), nn.GELU(), nn.Linear(hidden, config.embed_dim)
        )
        self.logit_scale = nn.Parameter(torch.tensor(float(np.log(1 / config.temperature))))

    def image(self, features: Tensor) -> Tensor:
        """Return embeddings [B, E] of features [B, F]."""
        embedded: Tensor = self.picture(features.float())
        return embedded

    def text(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Return embeddings [B, E] of texts [B, T], padded where they are shorter; their order does not count."""
        embedded: Tensor = self.caption(self.words(tokens))
        return embedded


def _clip_config(config: PairModelConfig, tokenizer: PreTrainedTokenizerBase) -> CLIPConfig:
    tower = {
        "hidden_size": config.width,
        "intermediate_size": 4 * config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "projection_dim": config.embed_dim,
    }
    marks = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.cls_token_id}
    marks |= {"eos_token_id": tokenizer.sep_token_id}
    text = tower | marks | {"vocab_size": len(tokenizer), "max_position_embeddings": config.max_tokens}
    vision = tower | {"image_size": config.image_size, "patch_size": config.patch_size}
    return CLIPConfig(
        text_config=text,
        vision_config=vision,
        projection_dim=config.embed_dim,
        logit_scale_init_value=float(np.log(1 / config.temperature)),
    )

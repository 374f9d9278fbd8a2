"""What a codebook captioner starts from: the ViT, the decoder and the codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from transformers import BertConfig, BertLMHeadModel

from scar.reduction.captioner_config import CaptionerConfig
from scar.reduction.keywords import keywords

_SPARE = 4
"""Keywords that are looked for, per code: phrases of the same words have the same embedding, and one is kept."""


def build_encoder(config: CaptionerConfig) -> Any:
    """Return timm's ViT of the sizes of the config, with drawn or with pretrained weights.

    Raises:
        ValueError: the pretrained model has other sizes.
    """
    encoder = VisionTransformer(
        img_size=config.image_size,
        patch_size=config.patch_size,
        embed_dim=config.width,
        depth=config.encoder_layers,
        num_heads=config.heads,
        num_classes=0,
    )
    if config.pretrained is not None:
        source = timm.create_model(config.pretrained, pretrained=True, num_classes=0, img_size=config.image_size)
        try:
            encoder.load_state_dict(source.state_dict())
        except RuntimeError as error:
            raise ValueError(
                f"reduction.captioner.pretrained={config.pretrained} is not a plain ViT of the width, layers and "
                f"patch size of reduction.captioner: {error}"
            ) from error
    return encoder


def build_decoder(config: CaptionerConfig, tokenizer: Any) -> BertLMHeadModel:
    """Return transformers' BERT with a causal mask and cross-attention, with drawn or with pretrained weights.

    Raises:
        ValueError: the pretrained model has other sizes, or fewer tokens than the tokenizer.
    """
    dropout = {"hidden_dropout_prob": config.dropout, "attention_probs_dropout_prob": config.dropout}
    if config.pretrained_text is None:
        return BertLMHeadModel(
            BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=config.width,
                num_hidden_layers=config.decoder_layers,
                num_attention_heads=config.heads,
                intermediate_size=4 * config.width,
                max_position_embeddings=config.max_tokens,
                pad_token_id=tokenizer.pad_token_id,
                is_decoder=True,
                add_cross_attention=True,
                **dropout,
            )
        )
    decoder = BertLMHeadModel.from_pretrained(
        config.pretrained_text, is_decoder=True, add_cross_attention=True, **dropout
    )
    found = decoder.config
    for name, value, wanted in (
        ("width", found.hidden_size, config.width),
        ("decoder_layers", found.num_hidden_layers, config.decoder_layers),
        ("heads", found.num_attention_heads, config.heads),
    ):
        if value != wanted:
            raise ValueError(
                f"reduction.captioner.{name}={wanted} does not fit reduction.captioner.pretrained_text="
                f"{config.pretrained_text}, which has {value}"
            )
    if found.vocab_size < len(tokenizer) or found.max_position_embeddings < config.max_tokens:
        raise ValueError(
            f"reduction.captioner.pretrained_text={config.pretrained_text} has {found.vocab_size} tokens and "
            f"{found.max_position_embeddings} positions; the tokenizer has {len(tokenizer)}, and "
            f"reduction.captioner.max_tokens={config.max_tokens}"
        )
    return decoder


def initial_codes(
    config: CaptionerConfig, captions: Sequence[str], tokenizer: Any, words: Tensor, *, seed: int
) -> Tensor:
    """Return the codes [K, d] that training starts from.

    A keyword or tag is the mean of the decoder's embeddings of its tokens, brought to mean 0 and variance 1 over the d
    components, where the last layer norm of the ViT puts the image tokens; without that, all tokens would take the
    same few codes (an interpretation: the paper does not say how the text embeddings meet those of the image).

    Args:
        config: K, d and `codebook_init`.
        captions: from which keywords are taken.
        tokenizer: of the decoder.
        words: [V, d] embeddings of its tokens.
        seed: of the ``xavier`` draw.

    Raises:
        ValueError: there are fewer than K keywords or tags with different embeddings.
    """
    size = config.codebook_size
    if config.codebook_init == "xavier":
        drawn = torch.empty(size, config.width)
        return nn.init.xavier_uniform_(drawn, generator=torch.Generator().manual_seed(seed))
    if config.codebook_init == "object_tags":
        phrases = read_tags(str(config.object_tags))
        wanted = f"reduction.captioner.object_tags={config.object_tags}"
    else:
        phrases = keywords(captions, _SPARE * size, phrases=config.keyword_phrases)
        wanted = "reduction.captioner.codebook_init=keywords"
    embeddings: dict[tuple[int, ...], Tensor] = {}
    for ids in tokenizer(phrases, add_special_tokens=False)["input_ids"] if phrases else ():
        known = tuple(sorted(each for each in ids if each != tokenizer.unk_token_id))
        if known and known not in embeddings:
            embeddings[known] = words[list(known)].mean(dim=0)
    if len(embeddings) < size:
        raise ValueError(
            f"{wanted} gives {len(embeddings)} codes, but reduction.captioner.codebook_size={size}; set it to "
            f"{len(embeddings)} or less, or reduction.captioner.codebook_init=xavier"
        )
    codes = torch.stack(list(embeddings.values())[:size]).detach()
    return nn.functional.layer_norm(codes, (config.width,), eps=1e-12)


def read_tags(path: str) -> list[str]:
    """Return the tags of a file with one a line, each once.

    Raises:
        ValueError: the file is missing, cannot be read as text, or holds no tag.
    """
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"reduction.captioner.object_tags={path} cannot be read ({error}); give a text file with one tag a line"
        ) from error
    tags = list(dict.fromkeys(line.strip().lower() for line in lines if line.strip()))
    if not tags:
        raise ValueError(f"reduction.captioner.object_tags={path} holds no tag; give one a line")
    return tags

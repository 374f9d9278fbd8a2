"""Captions that a trained captioner writes of images, from their codes alone (§3.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, EncoderDecoderCache

from scar.common.randomness import derive_seed
from scar.reduction.captioner import CodebookCaptioner
from scar.reduction.pictures import Images, square_images
from scar.reduction.settings import DECODINGS
from scar.reduction.tokens import decode


def generate(
    captioner: CodebookCaptioner,
    images: Images,
    *,
    method: str = "beam",
    beams: int = 3,
    top_p: float = 0.9,
    seed: int = 0,
    batch_size: int = 256,
) -> list[str]:
    """Return the captions that a captioner writes of images, from their codes alone.

    By beam and greedy search a caption depends on its image alone; by sampling it depends also on the seed and the
    place in the list.

    Args:
        captioner: trained; it works where it is (CPU or GPU).
        images: uint8 array [N, H, W, 3], or arrays or PIL images of any size.
        method: ``"beam"`` search, ``"nucleus"`` sampling or ``"greedy"`` search.
        beams: of beam search.
        top_p: of nucleus sampling: the probability of the words that are drawn from.
        seed: of nucleus sampling.
        batch_size: images at once.

    Raises:
        ValueError: a setting is unknown or out of range.
    """
    if method not in DECODINGS:
        raise ValueError(f"method={method!r} is unknown; use one of {', '.join(DECODINGS)}")
    if beams < 1 or not 0 < top_p <= 1 or batch_size < 1:
        raise ValueError(f"beams={beams} and batch_size={batch_size} must be at least 1, top_p={top_p} in (0, 1]")
    ways: dict[str, dict[str, Any]] = {
        "beam": {"num_beams": beams},
        "nucleus": {"do_sample": True, "top_p": top_p, "top_k": 0},
        "greedy": {},
    }
    pixels = square_images(images, captioner.config.image_size)
    captions: list[str] = []
    devices = [captioner.device] if captioner.device.type == "cuda" else []
    with torch.inference_mode(), torch.random.fork_rng(devices=devices):
        for start in range(0, len(pixels), batch_size):
            torch.manual_seed(derive_seed(seed, "caption sampling", start))
            part = torch.from_numpy(np.array(pixels[start : start + batch_size])).to(captioner.device)
            ids = _write(captioner, captioner.codebook(captioner.encode(part)).vectors, ways[method])
            captions += decode(captioner.tokenizer, ids.cpu().numpy())
    return captions


def _write(captioner: CodebookCaptioner, vectors: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
    """Return the tokens [B, T] that the decoder writes after reading codes [B, L, d]."""
    decoder, tokenizer = captioner.decoder, captioner.tokenizer
    marks = {tokenizer.cls_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id} - {None}
    first = torch.full((len(vectors), 1), tokenizer.cls_token_id, device=vectors.device)
    written: torch.Tensor = decoder.generate(
        input_ids=first,
        attention_mask=torch.ones_like(first),
        encoder_hidden_states=captioner.placed(vectors),
        encoder_attention_mask=torch.ones(vectors.shape[:2], device=vectors.device),
        # By itself, a decoder gets a cache without a place for what cross-attention has computed.
        past_key_values=EncoderDecoderCache(DynamicCache(config=decoder.config), DynamicCache(config=decoder.config)),
        max_length=captioner.config.max_tokens,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        pad_token_id=tokenizer.pad_token_id,
        suppress_tokens=sorted(marks),
        **options,
    )
    return written

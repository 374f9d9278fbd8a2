"""The gradients of the whole captioner against finite differences."""

import pytest
import torch
from tiny_captions import colours, tiny
from torch.nn.functional import mse_loss

from scar.reduction.training import build_captioner

STEP = 1e-6
IMAGES, CAPTIONS, _ = colours(60)
WATCHED = ("encoder.patch_embed.proj.weight", "encoder.blocks.0.mlp.fc1.weight", "encoder.norm.bias", "codebook.codes")


@pytest.fixture(params=["published", "vqvae"])
def toy(request):
    """A captioner in double precision, and a batch."""
    captioner = build_captioner(tiny(width=8, commitment=request.param), CAPTIONS, seed=0).double()
    ids = torch.tensor(captioner.tokenizer(CAPTIONS, padding=True)["input_ids"])
    return captioner, torch.from_numpy(IMAGES[:6]), ids[:6]


def frozen_loss(captioner, images, ids):
    """Return L as a function of the weights with every sg(·) held at its present value: what backward must follow."""
    with torch.no_grad():
        tokens_now = captioner.encode(images)
        indices = captioner.codebook(tokens_now).indices
        codes_now = captioner.codebook.codes[indices].clone()
    beta = captioner.config.beta
    move_tokens, move_codes = (1, beta) if captioner.config.commitment == "published" else (beta, 1)

    def loss():
        with torch.no_grad():
            tokens, codes = captioner.encode(images), captioner.codebook.codes[indices]
            text = captioner.text_loss(tokens + (codes_now - tokens_now), ids)
            return text + move_tokens * mse_loss(tokens, codes_now) + move_codes * mse_loss(codes, tokens_now)

    return loss


def test_gradients_of_encoder_and_codebook_follow_finite_differences(toy):
    captioner, images, ids = toy
    captioner.losses(images, ids).total.backward()
    loss = frozen_loss(captioner, images, ids)
    parameters = dict(captioner.named_parameters())
    for name in WATCHED:
        flat, gradient = parameters[name].data.view(-1), parameters[name].grad.view(-1)
        for place in gradient.abs().topk(3).indices.tolist():
            value = float(flat[place])
            flat[place] = value + STEP
            above = loss()
            flat[place] = value - STEP
            below = loss()
            flat[place] = value
            assert float(above - below) / (2 * STEP) == pytest.approx(float(gradient[place]), rel=1e-4), name
            assert abs(float(gradient[place])) > 1e-4


def test_the_text_reaches_the_encoder_through_the_codes_but_not_the_codebook(toy):
    captioner, images, ids = toy
    captioner.losses(images, ids).text.backward()
    assert captioner.encoder.patch_embed.proj.weight.grad.abs().max() > 1e-6
    assert captioner.codebook.codes.grad is None


def test_unused_codes_get_no_gradient(toy):
    captioner, images, ids = toy
    losses = captioner.losses(images, ids)
    losses.total.backward()
    used = torch.bincount(losses.quantised.indices.flatten(), minlength=8) > 0
    assert not used.all()
    assert torch.equal(captioner.codebook.codes.grad.abs().sum(dim=1) > 0, used)

"""The codebook: every token of an image is replaced by the code that lies nearest (§3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

_CHUNK = 1 << 14
"""Tokens that are compared with all codes at a time."""


@dataclass(frozen=True, eq=False)
class Quantised:
    """What a codebook makes of tokens.

    Attributes:
        vectors: [B, L, d] codes q, with the gradient of the tokens.
        indices: [B, L] which codes.
        loss: scalar L_vq.
    """

    vectors: Tensor
    indices: Tensor
    loss: Tensor


class Codebook(nn.Module):
    """K codes [K, d] with a straight-through quantisation.

    With z the tokens, i = argmin_j ‖z − e_j‖² and sg the operator that stops the gradient,
    q = z + sg(e_i − z), so that the decoder's gradient reaches z as it is. The loss is, per token,
    ‖sg(e_i) − z‖² + β ‖e_i − sg(z)‖² (``published``) or ‖e_i − sg(z)‖² + β ‖sg(e_i) − z‖² (``vqvae``), as a mean over
    the d components, so that its weight against the loss of the text does not grow with the width.

    Args:
        codes: [K, d] to start from.
        beta: β.
        commitment: which term β scales, ``"published"`` or ``"vqvae"``.
    """

    def __init__(self, codes: Tensor, *, beta: float, commitment: str) -> None:
        super().__init__()
        self.codes = nn.Parameter(codes.detach().clone())
        self.to_tokens, self.to_codes = (1.0, beta) if commitment == "published" else (beta, 1.0)

    def forward(self, tokens: Tensor) -> Quantised:
        """Quantise tokens [B, L, d]."""
        with torch.autocast(tokens.device.type, enabled=False):
            tokens = tokens.to(self.codes.dtype)
            indices = nearest_codes(tokens.detach().flatten(0, -2), self.codes.detach()).view(tokens.shape[:-1])
            codes = self.codes[indices]
            loss = self.to_tokens * mse_loss(tokens, codes.detach()) + self.to_codes * mse_loss(codes, tokens.detach())
            return Quantised(tokens + (codes - tokens).detach(), indices, loss)


def nearest_codes(tokens: Tensor, codes: Tensor) -> Tensor:
    """Return the index [n] of the code [K, d] nearest to each token [n, d]; of equally near ones the first.

    It is the argmin of ‖e‖² − 2 z·e in float64: in the precision of the tokens, the difference of two large numbers
    would lose the digits that tell near codes apart.
    """
    codes = codes.double()
    lengths = codes.square().sum(dim=1)
    indices = []
    for start in range(0, len(tokens), _CHUNK):
        part = tokens[start : start + _CHUNK].double()
        indices.append(torch.addmm(lengths, part, codes.T, alpha=-2).argmin(dim=1))
    return torch.cat(indices)


def perplexity(counts: Tensor) -> float:
    """Return exp of the entropy of how often the codes [K] were used: how many are, if equally often."""
    shares = counts.double() / counts.sum().clamp(min=1)
    return float(torch.special.entr(shares).sum().exp())

import numpy as np
import pytest
import torch

from scar.reduction.codebook import Codebook, nearest_codes, perplexity

BETA = 0.25


def codebook(codes, commitment="published"):
    return Codebook(torch.as_tensor(codes), beta=BETA, commitment=commitment)


def test_every_token_takes_the_nearest_code():
    random = np.random.default_rng(0)
    tokens, codes = random.normal(size=(300, 5)).astype(np.float32), random.normal(size=(40, 5)).astype(np.float32)
    nearest = ((tokens[:, None].astype(float) - codes) ** 2).sum(axis=2).argmin(axis=1)
    assert len(set(nearest)) > 20
    assert nearest_codes(torch.tensor(tokens), torch.tensor(codes)).tolist() == nearest.tolist()


def test_codes_that_only_the_last_digits_tell_apart_are_told_apart():
    # Far from the origin, ‖e‖² − 2 z·e has no digits left for the differences.
    random = np.random.default_rng(1)
    codes = (1000 + np.array([0, 1, -1, 400])[:, None] * 0.01 * np.ones((4, 8))).astype(np.float32)
    which = random.integers(3, size=200)
    tokens = (codes[which] + random.uniform(-0.003, 0.003, (200, 8))).astype(np.float32)
    lengths = (codes**2).sum(axis=1)
    assert (lengths - 2 * tokens @ codes.T).argmin(axis=1).tolist() != which.tolist()
    assert nearest_codes(torch.tensor(tokens), torch.tensor(codes)).tolist() == which.tolist()


def test_of_equally_near_codes_the_first_is_taken():
    codes = torch.tensor([[2.0], [1.0], [-1.0], [1.0], [-1.0], [-1.0]])
    assert nearest_codes(torch.zeros(3, 1), codes).tolist() == [1, 1, 1]


def test_the_vectors_are_the_codes_and_have_the_gradient_of_the_tokens():
    book = codebook(torch.randn(6, 3, generator=torch.Generator().manual_seed(0)))
    tokens = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    quantised = book(tokens)
    assert quantised.indices.shape == (2, 4)
    torch.testing.assert_close(quantised.vectors, book.codes[quantised.indices])
    weights = torch.arange(24.0).view(2, 4, 3)
    (gradient,) = torch.autograd.grad((quantised.vectors * weights).sum(), tokens)
    assert torch.equal(gradient, weights)


@pytest.mark.parametrize(("commitment", "to_tokens", "to_codes"), [("published", 1, BETA), ("vqvae", BETA, 1)])
def test_beta_scales_the_term_that_the_variant_names(commitment, to_tokens, to_codes):
    book = codebook([[1.0, 1.0], [9.0, 9.0]], commitment)
    tokens = torch.tensor([[[2.0, 4.0]]], requires_grad=True)  # its code is (1, 1), at the distances 1 and 3
    loss = book(tokens).loss
    assert loss.item() == pytest.approx((1 + BETA) * (1 + 9) / 2)
    loss.backward()
    torch.testing.assert_close(tokens.grad, to_tokens * torch.tensor([[[1.0, 3.0]]]))
    torch.testing.assert_close(book.codes.grad, to_codes * torch.tensor([[-1.0, -3.0], [0.0, 0.0]]))


def test_perplexity_counts_the_codes_in_use():
    assert perplexity(torch.tensor([5, 5, 0, 5, 5])) == pytest.approx(4)
    assert perplexity(torch.tensor([7, 0, 0])) == pytest.approx(1)
    assert perplexity(torch.tensor([3, 1])) == pytest.approx(np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25)))

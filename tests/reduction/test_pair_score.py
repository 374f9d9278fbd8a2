import numpy as np
import pytest

from scar.reduction.pair_score import filter_pairs, mismatch_auroc, pair_score


def planted(size=400, mismatched=0.2, noise=0.5, seed=0):
    """Embeddings of pairs in a joint space, of which some texts belong to another image."""
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(size, 16))
    text = image + noise * rng.normal(size=(size, 16))
    wrong = np.zeros(size, bool)
    wrong[rng.permutation(size)[: round(mismatched * size)]] = True
    text[wrong] = np.roll(text[wrong], 1, axis=0)
    return image.astype(np.float32), text.astype(np.float32), wrong


def test_the_pair_score_is_the_cosine_whatever_the_lengths():
    image = np.array([[3, 0], [0, 2], [1, 1], [0, 0]], np.float32)
    text = np.array([[5, 0], [0, -1], [1, 0], [1, 0]], np.float32)
    np.testing.assert_allclose(pair_score(image, text), [1, -1, np.sqrt(0.5), 0], atol=1e-7)


def test_the_pair_score_tells_planted_mismatches_and_an_uninformed_score_does_not():
    image, text, wrong = planted()
    assert mismatch_auroc(pair_score(image, text), wrong) > 0.97
    noisier = mismatch_auroc(pair_score(*planted(noise=4.0)[:2]), planted(noise=4.0)[2])
    assert 0.5 < noisier < 0.9
    assert abs(mismatch_auroc(np.random.default_rng(1).random(400), wrong) - 0.5) < 0.1


def test_the_auroc_is_the_share_of_pairs_of_pairs_in_the_right_order():
    scores, wrong = np.array([0.1, 0.4, 0.4, 0.9, 0.2]), np.array([True, True, False, False, False])
    right = [(good > bad) + 0.5 * (good == bad) for bad in scores[wrong] for good in scores[~wrong]]
    assert mismatch_auroc(scores, wrong) == pytest.approx(np.mean(right))


def test_a_share_leaves_out_exactly_the_lowest_and_equal_scores_by_their_ids():
    scores = np.array([0.5, 0.1, 0.1, 0.1, 0.9, 0.7])
    ids = np.array(list("fedcba"))
    stays = filter_pairs(scores, share=0.34, ids=ids)
    assert set(ids[~stays]) == {"c", "d"}
    shuffled = np.random.default_rng(0).permutation(6)
    assert np.array_equal(filter_pairs(scores[shuffled], share=0.34, ids=ids[shuffled]), stays[shuffled])
    assert filter_pairs(scores).all()
    assert [int((~filter_pairs(np.arange(101.0), share=s)).sum()) for s in (0.1, 0.5, 0.99)] == [10, 50, 100]


def test_a_filter_of_the_planted_share_removes_the_planted_pairs():
    image, text, wrong = planted(noise=0.2)
    stays = filter_pairs(pair_score(image, text), share=0.2)
    assert np.mean(wrong[~stays]) > 0.95


def test_a_threshold_keeps_what_reaches_it():
    assert filter_pairs([0.1, 0.3, 0.2], threshold=0.2).tolist() == [False, True, True]
    with pytest.raises(ValueError, match=r"reduction\.pair_threshold=2 leaves no pair: the highest score is 0\.3"):
        filter_pairs([0.1, 0.3], threshold=2)


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (lambda: filter_pairs([0.1, np.nan]), r"scores\[1\]=nan is no finite number"),
        (lambda: filter_pairs([0.1, 0.2], share=1.0), r"reduction\.pair_filter_share=1\.0"),
        (lambda: filter_pairs([0.1, 0.2], share=0.5, threshold=0.1), "both filter"),
        (lambda: filter_pairs([]), r"scores have the shape \(0,\)"),
        (lambda: mismatch_auroc([0.1, 0.2], [True, True]), "2 of 2 pairs are mismatched; an AUROC needs both kinds"),
        (lambda: pair_score(np.ones((2, 3), np.float32), np.ones((2, 4), np.float32)), "one joint space"),
        (lambda: pair_score(np.full((2, 3), np.inf, np.float32), np.ones((2, 3), np.float32)), "image embeddings hold"),
    ],
)
def test_what_cannot_be_scored_is_named(do, message):
    with pytest.raises(ValueError, match=message):
        do()

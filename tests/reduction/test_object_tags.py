import pytest
import torch
from tiny_captions import colours, tiny

from scar.reduction.captioner_config import CaptionerConfig
from scar.reduction.training import build_captioner

_, CAPTIONS, _ = colours(60)
TAGS = ["red", "Green", "blue", "yellow", "plain", "picture", "stripes", "picture of red", "red", "", "picture of blue"]


def with_tags(path, **changes):
    return build_captioner(tiny(codebook_init="object_tags", object_tags=str(path), **changes), CAPTIONS, seed=0)


def test_a_code_is_the_normalised_embedding_of_its_tag(tmp_path):
    (tmp_path / "tags.txt").write_text("\n".join(TAGS))
    captioner = with_tags(tmp_path / "tags.txt")
    words = captioner.decoder.get_input_embeddings().weight
    ids = [captioner.tokenizer.convert_tokens_to_ids(each) for each in ("picture", "of", "red")]
    for code, embedding in (
        (1, words[captioner.tokenizer.convert_tokens_to_ids("green")]),
        (7, words[ids].mean(dim=0)),
    ):
        expected = (embedding - embedding.mean()) / embedding.std(correction=0)
        torch.testing.assert_close(captioner.codebook.codes[code], expected, atol=1e-4, rtol=1e-4)


def test_a_missing_list_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"object_tags=.*none.txt cannot be read"):
        with_tags(tmp_path / "none.txt")


def test_an_empty_list_is_an_error(tmp_path):
    (tmp_path / "tags.txt").write_text("\n \n")
    with pytest.raises(ValueError, match="holds no tag"):
        with_tags(tmp_path / "tags.txt")


def test_a_list_that_is_no_text_is_an_error(tmp_path):
    (tmp_path / "tags.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ValueError, match="cannot be read"):
        with_tags(tmp_path / "tags.txt")


def test_a_list_with_too_few_known_tags_is_an_error(tmp_path):
    # Tags of words that no caption has are all the unknown word, and no code.
    (tmp_path / "tags.txt").write_text("red\nblue\nzebra\nviolin\nred\n")
    with pytest.raises(ValueError, match=r"gives 2 codes, but reduction\.captioner.codebook_size=8"):
        with_tags(tmp_path / "tags.txt")


@pytest.mark.parametrize(
    "settings", [{"codebook_init": "object_tags"}, {"codebook_init": "keywords", "object_tags": "tags.txt"}]
)
def test_the_list_goes_with_its_way_to_begin(settings):
    with pytest.raises(ValueError, match="object_tags needs the path of a list"):
        CaptionerConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"codebook_init": "random"}, "codebook_init='random' is unknown"),
        ({"commitment": "ema"}, "commitment='ema' is unknown"),
        ({"image_size": 30, "patch_size": 8}, "image_size=30 must be a multiple"),
        ({"width": 62, "heads": 4}, "width=62 must be a multiple"),
        ({"codebook_size": 1}, "codebook_size=1 must be at least 2"),
        ({"restart_dead": 0}, "restart_dead=0 must be at least 1"),
        ({"decay": 0.0}, "decay=0.0 must be above 0"),
        ({"decay": 1.5}, "decay=1.5 must be at most 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 must be above 0"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        CaptionerConfig(**settings)


def test_the_defaults_are_the_papers():
    config = CaptionerConfig()
    assert (config.codebook_size, config.tokens, config.width) == (3000, 196, 768)
    assert (config.encoder_layers, config.decoder_layers, config.heads) == (12, 12, 12)
    assert (config.learning_rate, config.weight_decay, config.epochs, config.batch_size) == (3e-4, 0.05, 20, 1260)
    assert (config.beta, config.commitment, config.decay) == (0.25, "published", 0.85)

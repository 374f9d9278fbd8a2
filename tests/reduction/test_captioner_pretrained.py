import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from tiny_captions import colours, tiny
from transformers import BertConfig, BertModel

from scar.reduction.tokens import make_tokenizer, open_tokenizer
from scar.reduction.training import build_captioner, load, save

IMAGES, CAPTIONS, _ = colours(60)


@pytest.fixture
def bert(tmp_path):
    """Folder of a BERT with its tokenizer, 32 wide."""
    tokenizer = make_tokenizer(CAPTIONS, vocabulary=100)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=16,
    )  # fmt: skip
    BertModel(config).save_pretrained(tmp_path / "bert")
    tokenizer.save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def test_the_decoder_starts_from_a_pretrained_bert_and_is_loaded_without_it(bert, tmp_path):
    captioner = build_captioner(tiny(pretrained_text=str(bert)), CAPTIONS, seed=0)
    source = BertModel.from_pretrained(bert).state_dict()
    words = captioner.decoder.get_input_embeddings().weight
    assert torch.equal(words, source["embeddings.word_embeddings.weight"])
    assert captioner.decoder.bert.encoder.layer[0].intermediate.dense.weight.shape == (48, 32)
    save(captioner, tmp_path / "saved")
    (bert / "config.json").unlink()
    assert torch.equal(load(tmp_path / "saved").decoder.get_input_embeddings().weight, words)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 64}, "width=64 does not fit"),
        ({"decoder_layers": 2}, "decoder_layers=2 does not fit"),
        ({"max_tokens": 17}, "16 positions"),
    ],
)
def test_a_pretrained_bert_of_other_sizes_is_refused(bert, settings, message):
    with pytest.raises(ValueError, match=message):
        build_captioner(tiny(pretrained_text=str(bert), **settings), CAPTIONS, seed=0)


def test_the_encoder_starts_from_a_pretrained_vit_of_its_sizes(monkeypatch):
    def create_model(name, *, pretrained, num_classes, img_size):
        assert (name, pretrained) == ("vit_tiny", True)
        return VisionTransformer(
            img_size=img_size, patch_size=8, embed_dim=32, depth=1, num_heads=2, num_classes=num_classes
        )

    monkeypatch.setattr(timm, "create_model", create_model)
    first, second = (build_captioner(tiny(pretrained=each), CAPTIONS, seed=0) for each in (None, "vit_tiny"))
    assert not torch.equal(first.encoder.patch_embed.proj.weight, second.encoder.patch_embed.proj.weight)
    with pytest.raises(ValueError, match="pretrained=vit_tiny is not a plain ViT"):
        build_captioner(tiny(pretrained="vit_tiny", patch_size=4), CAPTIONS, seed=0)


def test_a_tokenizer_without_marks_is_refused(tmp_path):
    tokenizer = make_tokenizer(CAPTIONS, vocabulary=100)
    tokenizer.sep_token = None
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="has no sep_token"):
        open_tokenizer(tmp_path)

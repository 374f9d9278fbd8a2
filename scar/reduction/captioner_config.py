"""How the codebook captioner is built and trained; the defaults are the paper's (§3.1, §3.3, §4)."""

from __future__ import annotations

from dataclasses import dataclass

INITS = ("keywords", "xavier", "object_tags")
PHRASES = ("pmi", "nltk")
COMMITMENTS = ("published", "vqvae")
DECAYS = ("per_epoch", "linear")
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "64-true")


@dataclass(frozen=True, kw_only=True)
class CaptionerConfig:
    """The codebook captioner: ViT, codebook and text decoder, trained on noisy and then on clean pairs.

    What the paper does not say, or says of its pre-training only, is marked as an interpretation.

    Attributes:
        image_size: side of the square that the encoder sees, in pixels.
        patch_size: side of a patch, in pixels; an image has L = (image_size / patch_size)² patch tokens.
        width: d of the tokens, the codes and the decoder.
        encoder_layers: of the ViT.
        decoder_layers: of the BERT decoder.
        heads: of attention, in both.
        dropout: of the decoder (BERT's; an interpretation).
        pretrained: name of a plain ViT of timm of these sizes whose weights the encoder starts from, fetched from
            the hub; None draws them. An interpretation: the paper does not say.
        pretrained_text: name or folder of a BERT of transformers whose weights and tokenizer the decoder starts
            from; its layers and width must be these. None draws the weights. An interpretation.
        tokenizer: name or folder of a tokenizer of transformers; None takes that of `pretrained_text`, or else makes
            one of the words of the captions.
        vocabulary: words at most of a tokenizer made from captions.
        max_tokens: of a caption, with its first and last mark; longer ones are cut.
        codebook_size: K, the codes.
        codebook_init: ``"keywords"`` takes the text embeddings of the most frequent keywords and phrases of the
            captions, ``"object_tags"`` those of a list, ``"xavier"`` draws the codes.
        keyword_phrases: ``"pmi"`` finds phrases as pairs of words that occur together more often than by chance,
            ``"nltk"`` as noun phrases, for which NLTK and its tagger must be installed.
        object_tags: text file with one tag a line, K of them or more.
        beta: weight of one of the two terms of the commitment loss.
        commitment: which one: ``"published"`` that which moves the codes,
            ‖sg(e) − z‖² + β ‖e − sg(z)‖², ``"vqvae"`` that which moves the encoder, ‖e − sg(z)‖² + β ‖sg(e) − z‖².
        quantise_class_token: quantise the class token as well and show it to the decoder (L + 1 tokens); else the
            decoder sees the patch tokens alone.
        code_places: add a learned embedding of its place in the image to every code that the decoder reads. An
            interpretation: the paper does not say; without, the decoder reads a set.
        restart_dead: epochs after which an unused code is moved onto a token of the encoder; None never does.
        learning_rate: highest, after the warm-up.
        warmup_epochs: over which the learning rate rises from 0. An interpretation: the paper gives no length.
        weight_decay: of AdamW, on matrices but not on the codes, biases, norms and embeddings of positions.
        decay: of the learning rate, "a linear decay with a rate of 0.85" without a unit.
        decay_unit: interpretation of it: ``"per_epoch"`` multiplies the rate by `decay` after every epoch (as BLIP
            does), ``"linear"`` lowers it along a line, by the share `decay` at the end.
        epochs: on the noisy pairs.
        clean_epochs: on the clean pairs, if there are any. An interpretation, as is the next.
        clean_learning_rate: highest on the clean pairs.
        batch_size: pairs of a step, over all devices.
        precision: of Lightning.
    """

    image_size: int = 224
    patch_size: int = 16
    width: int = 768
    encoder_layers: int = 12
    decoder_layers: int = 12
    heads: int = 12
    dropout: float = 0.1
    pretrained: str | None = None
    pretrained_text: str | None = None
    tokenizer: str | None = None
    vocabulary: int = 30522
    max_tokens: int = 40
    codebook_size: int = 3000
    codebook_init: str = "keywords"
    keyword_phrases: str = "pmi"
    object_tags: str | None = None
    beta: float = 0.25
    commitment: str = "published"
    quantise_class_token: bool = False
    code_places: bool = False
    restart_dead: int | None = None
    learning_rate: float = 3e-4
    warmup_epochs: float = 1.0
    weight_decay: float = 0.05
    decay: float = 0.85
    decay_unit: str = "per_epoch"
    epochs: int = 20
    clean_epochs: int = 5
    clean_learning_rate: float = 1e-5
    batch_size: int = 1260
    precision: str = "32-true"

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"reduction.captioner.{name}={getattr(self, name)!r} is unknown; use one of {', '.join(allowed)}"
                )
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"reduction.captioner.{name}={value} must be at least {least}")
        for name in ("learning_rate", "clean_learning_rate", "decay"):
            if not getattr(self, name) > 0:
                raise ValueError(f"reduction.captioner.{name}={getattr(self, name)} must be above 0")
        for name, most in (("decay", 1.0), ("dropout", 0.9)):
            if getattr(self, name) > most:
                raise ValueError(f"reduction.captioner.{name}={getattr(self, name)} must be at most {most}")
        for name, by in (("image_size", "patch_size"), ("width", "heads")):
            value, part = getattr(self, name), getattr(self, by)
            if value % part:
                raise ValueError(
                    f"reduction.captioner.{name}={value} must be a multiple of reduction.captioner.{by}={part}"
                )
        if (self.codebook_init == "object_tags") != (self.object_tags is not None):
            raise ValueError(
                f"reduction.captioner.object_tags={self.object_tags} does not fit reduction.captioner.codebook_init="
                f"{self.codebook_init}: object_tags needs the path of a list, the others take none"
            )

    @property
    def tokens(self) -> int:
        """Tokens L of an image that are quantised."""
        return (self.image_size // self.patch_size) ** 2 + int(self.quantise_class_token)


_CHOICES = {
    "codebook_init": INITS,
    "keyword_phrases": PHRASES,
    "commitment": COMMITMENTS,
    "decay_unit": DECAYS,
    "precision": PRECISIONS,
}
_LEAST = {
    "image_size": 1, "patch_size": 1, "width": 1, "encoder_layers": 1, "decoder_layers": 1, "heads": 1,
    "dropout": 0, "vocabulary": 5, "max_tokens": 3, "codebook_size": 2, "beta": 0, "restart_dead": 1,
    "warmup_epochs": 0, "weight_decay": 0, "epochs": 1, "clean_epochs": 0, "batch_size": 1,
}  # fmt: skip

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback
from tiny_captions import colours, tiny

from scar.reduction.training import build_captioner, load, save, train_captioner

IMAGES, CAPTIONS, _ = colours(240)
CLEAN = (IMAGES[:48], CAPTIONS[:48])


def train(folder, *, seed=0, clean=None, callbacks=(), images=IMAGES, **changes):
    config = tiny(**changes)
    return train_captioner(config, images, CAPTIONS, clean=clean, seed=seed, folder=folder, callbacks=callbacks)


def weights(captioner):
    return {name: value.clone() for name, value in captioner.state_dict().items()}


def same(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A captioner after two phases without an interruption."""
    return train(tmp_path_factory.mktemp("whole"), clean=CLEAN)


def test_losses_fall_and_the_codes_stay_in_use(tmp_path):
    history = train(tmp_path, epochs=12).history
    assert [row["epoch"] for row in history] == list(range(1, 13))
    first, last = history[0], history[-1]
    assert last["text_loss"] < 0.4 * first["text_loss"]
    assert last["loss"] == pytest.approx(last["text_loss"] + last["commitment_loss"])
    assert last["commitment_loss"] < first["commitment_loss"]
    # Eight kinds of pictures: fewer than three codes in use could not tell four colours apart.
    assert last["perplexity"] > 3
    assert last["dead_codes"] <= 5


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(trained, tmp_path):
    again = train(tmp_path / "again", clean=CLEAN)
    assert same(weights(again), weights(trained))
    assert again.history == trained.history
    assert not same(weights(train(tmp_path / "other", clean=CLEAN, seed=1)), weights(trained))


def test_a_decoder_that_is_told_places_reads_a_sequence_and_not_a_set(tmp_path):
    placed, plain = (train(tmp_path / str(told), epochs=1, code_places=told) for told in (True, False))
    assert plain.places is None
    assert placed.places.abs().sum() > 0
    ids = torch.tensor([[2, 5, 6, 3]])
    placed.places.data.copy_(10 * torch.randn(placed.places.shape, generator=torch.Generator().manual_seed(1)))
    vectors = 10 * torch.randn(1, placed.config.tokens, placed.config.width, generator=torch.Generator().manual_seed(0))
    turned = vectors.flip(1)
    with torch.inference_mode():
        assert plain.text_loss(vectors, ids) == pytest.approx(float(plain.text_loss(turned, ids)), abs=1e-5)
        assert abs(float(placed.text_loss(vectors, ids) - placed.text_loss(turned, ids))) > 1e-4
    save(placed, tmp_path / "saved")
    assert same(weights(load(tmp_path / "saved")), weights(placed))


def test_training_leaves_the_generators_of_the_caller_alone(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(tmp_path, epochs=1)
    assert torch.equal(torch.rand(3), expected)


class _Stop(Callback):
    """Breaks off as a phase begins its epoch."""

    def __init__(self, phase, epoch):
        self.at = (phase, epoch)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if (pl_module.phase.name, trainer.current_epoch + 1, batch_idx) == (*self.at, 1):
            raise RuntimeError("interrupted")


@pytest.mark.parametrize(("phase", "epoch"), [("noisy", 1), ("noisy", 3), ("clean", 1), ("clean", 2)])
def test_an_interrupted_training_ends_with_the_same_weights(trained, tmp_path, phase, epoch):
    with pytest.raises(RuntimeError, match="interrupted"):
        train(tmp_path, clean=CLEAN, callbacks=[_Stop(phase, epoch)])
    resumed = train(tmp_path, clean=CLEAN, callbacks=[counter := _Epochs()])
    assert counter.begun == {"noisy": 6, "clean": 3}[phase] - epoch
    assert same(weights(resumed), weights(trained))
    assert resumed.history == trained.history


class _Epochs(Callback):
    """Counts the epochs that are trained."""

    def __init__(self):
        self.begun = 0

    def on_train_epoch_start(self, trainer, pl_module):
        self.begun += 1


def test_a_finished_training_is_not_repeated(tmp_path):
    whole = train(tmp_path, clean=CLEAN)
    again = train(tmp_path, clean=CLEAN, callbacks=[counter := _Epochs()])
    assert counter.begun == 0
    assert same(weights(again), weights(whole))
    assert again.history == whole.history


@pytest.mark.parametrize("change", [{"seed": 1}, {"beta": 0.5}, {"images": IMAGES[::-1]}])
def test_a_folder_with_another_training_is_refused(tmp_path, change):
    train(tmp_path, epochs=1)
    with pytest.raises(ValueError, match="unfinished training of other pairs"):
        train(tmp_path, epochs=1, **change)


def test_the_history_tells_the_phases_apart(trained):
    assert [(row["phase"], row["epoch"]) for row in trained.history] == [
        ("noisy", 1), ("noisy", 2), ("noisy", 3), ("clean", 1), ("clean", 2),
    ]  # fmt: skip


def test_a_captioner_is_the_same_after_saving_and_loading(trained, tmp_path):
    save(trained, tmp_path)
    loaded = load(tmp_path)
    assert same(weights(loaded), weights(trained))
    assert loaded.config == trained.config
    assert loaded.history == trained.history
    images = torch.from_numpy(IMAGES[:5])
    ids = torch.tensor(loaded.tokenizer(CAPTIONS[:5], padding=True)["input_ids"])
    assert torch.equal(loaded.losses(images, ids).total, trained.losses(images, ids).total)
    assert loaded.decoder.cls.predictions.decoder.weight is loaded.decoder.get_input_embeddings().weight


def test_both_commitments_train_and_differ(tmp_path):
    one, other = (train(tmp_path / each, epochs=1, commitment=each) for each in ("published", "vqvae"))
    assert not torch.equal(one.codebook.codes, other.codebook.codes)
    assert not torch.equal(one.encoder.pos_embed, other.encoder.pos_embed)


def test_dead_codes_are_restarted_on_tokens(tmp_path):
    # At the variance of a Xavier draw all codes lie close to the origin, so that few are the nearest to any token.
    left, restarted = (
        train(tmp_path / str(each), epochs=4, codebook_size=16, codebook_init="xavier", restart_dead=each)
        for each in (None, 1)
    )
    assert all(row["restarted_codes"] == 0 for row in left.history)
    assert left.history[-1]["dead_codes"] > 0
    assert sum(row["restarted_codes"] for row in restarted.history) > 0
    assert restarted.history[-1]["perplexity"] > left.history[-1]["perplexity"]


def test_the_last_epoch_moves_no_code(tmp_path):
    history = train(tmp_path, epochs=2, codebook_size=16, codebook_init="xavier").history
    assert history[0]["restarted_codes"] > 0
    assert history[1]["dead_codes"] > 0
    assert history[1]["restarted_codes"] == 0


def test_mixed_precision_trains(tmp_path):
    history = train(tmp_path, epochs=4, precision="bf16-mixed").history
    assert history[-1]["text_loss"] < 0.8 * history[0]["text_loss"]


def test_the_class_token_is_quantised_on_request(tmp_path):
    images = torch.from_numpy(IMAGES[:3])
    for quantise, tokens in ((False, 4), (True, 5)):
        captioner = build_captioner(tiny(quantise_class_token=quantise), CAPTIONS, seed=0)
        assert captioner.config.tokens == tokens
        assert captioner.encode(images).shape == (3, tokens, 32)


def test_the_way_the_codes_begin_changes_the_codes_alone():
    keywords, xavier = (
        weights(build_captioner(tiny(codebook_init=each), CAPTIONS, seed=0)) for each in ("keywords", "xavier")
    )
    assert [name for name in keywords if not torch.equal(keywords[name], xavier[name])] == ["codebook.codes"]


def test_the_learning_rate_rises_and_then_decays(tmp_path):
    rates = [row["learning_rate"] for row in train(tmp_path, epochs=3, decay=0.5).history]
    assert rates == pytest.approx([0.005, 0.0025, 0.00125])
    linear = train(tmp_path / "linear", epochs=4, decay=0.8, decay_unit="linear", warmup_epochs=0).history
    assert [row["learning_rate"] for row in linear] == pytest.approx([0.0041, 0.0031, 0.0021, 0.0011])


def test_several_sizes_of_images_are_read():
    from PIL import Image

    captioner = build_captioner(tiny(), CAPTIONS, seed=0)
    from scar.reduction.pictures import square_images

    large = np.repeat(np.repeat(IMAGES[:2], 2, axis=1), 2, axis=2)
    pictures = [Image.fromarray(each) for each in large]
    assert square_images(IMAGES, 16) is IMAGES
    assert np.array_equal(square_images(large, 16), square_images(pictures, 16))
    assert captioner.encode(torch.from_numpy(square_images(pictures, 16))).shape == (2, 4, 32)


@pytest.mark.parametrize("images", [IMAGES[:3], IMAGES[:0]])
def test_images_and_captions_must_be_as_many(tmp_path, images):
    with pytest.raises(ValueError, match="give one caption per image"):
        train(tmp_path, images=images)
    with pytest.raises(ValueError, match="clean: 2 images with 1 captions"):
        train(tmp_path, clean=(IMAGES[:2], CAPTIONS[:1]))


def test_too_few_keywords_are_an_error_with_a_way_out(tmp_path):
    with pytest.raises(ValueError, match=r"gives \d+ codes, but reduction\.captioner.codebook_size=500"):
        train(tmp_path, codebook_size=500)

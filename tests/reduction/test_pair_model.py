"""The pair model on toy pairs: it learns, goes on after an interruption, and reads back what it wrote."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from scar.reduction.pair_model_config import PairModelConfig

TINY = {"image_size": 8, "patch_size": 4, "width": 16, "layers": 1, "heads": 2, "embed_dim": 8, "max_tokens": 8}
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


def pairs(count: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Plain pictures of four colours with a little noise, and the name of the colour."""
    rng = np.random.default_rng(seed)
    names = [list(COLOURS)[i] for i in rng.permutation(count) % 4]
    images = np.array([np.full((8, 8, 3), COLOURS[name]) for name in names]) + rng.integers(-40, 40, (count, 8, 8, 3))
    return images.clip(0, 255).astype(np.uint8), [f"a {name} picture" for name in names]


def settings(**more) -> PairModelConfig:
    return PairModelConfig(
        **TINY | {"steps": 72, "checkpoints": 4, "batch_size": 16, "learning_rate": 5e-3, "average": 0.5} | more
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from scar.reduction.pair_training import train_pair_model

    return train_pair_model(settings(), *pairs(96), seed=0, folder=tmp_path_factory.mktemp("pairs") / "work")


def test_the_loss_falls_and_new_pictures_find_their_colour(model):
    images, captions = pairs(40, seed=1)
    nearest = (model.embed_images(images) @ model.embed_texts([f"a {name} picture" for name in COLOURS]).T).argmax(1)
    assert len(model.history) == 12
    assert model.history[-1] < 0.8 * model.history[0]
    assert np.mean([captions[i] == f"a {list(COLOURS)[n]} picture" for i, n in enumerate(nearest)]) > 0.9


def test_embeddings_have_length_one_and_do_not_depend_on_their_company(model):
    texts = ["a red picture", "white", "a a a a a a a a a a a a green"]
    together, alone = model.embed_texts(texts), np.concatenate([model.embed_texts([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    assert model.embed_texts([]).shape == (0, 8)


def test_it_counts_the_seconds_of_training(model):
    assert model.spent["wall"] > 0
    assert model.spent["cpu"] > 0
    assert model.pairs == 96


def test_what_was_written_embeds_alike(model, tmp_path):
    from scar.reduction.pair_training import load, save

    images, captions = pairs(8, seed=2)
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.embed_images(images), model.embed_images(images))
    np.testing.assert_array_equal(again.embed_texts(captions), model.embed_texts(captions))
    assert again.history == model.history
    assert again.config == model.config


def test_images_of_another_size_are_scaled(model):
    images, _ = pairs(4)
    np.testing.assert_allclose(
        model.embed_images(images.repeat(2, 1).repeat(2, 2)), model.embed_images(images), atol=0.2
    )


@contextmanager
def interrupted(monkeypatch):
    """End the training inside by Ctrl-C after its third epoch."""
    from scar.reduction.pair_model import PairModel

    ended = PairModel.on_train_epoch_end

    def cut(self):
        ended(self)
        if len(self.history) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        changed.setattr(PairModel, "on_train_epoch_end", cut)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            yield


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path, monkeypatch):
    from scar.reduction import pair_training

    config, given = settings(steps=8, checkpoints=4), pairs(32)
    whole = pair_training.train_pair_model(config, *given, seed=3, folder=tmp_path / "whole")
    with interrupted(monkeypatch):
        pair_training.train_pair_model(config, *given, seed=3, folder=tmp_path / "cut")
    assert (tmp_path / "cut" / "last.ckpt").is_file()
    resumed = pair_training.train_pair_model(config, *given, seed=3, folder=tmp_path / "cut")
    assert resumed.history == pytest.approx(whole.history, rel=1e-5)
    for name, weights in whole.towers.state_dict().items():
        np.testing.assert_allclose(resumed.towers.state_dict()[name], weights, atol=1e-6, err_msg=name)
    assert not Path(tmp_path / "cut").exists()


def look(model) -> dict[str, np.ndarray]:
    return {"red": model.embed_texts(["a red picture"])}


def test_what_it_is_at_a_checkpoint_does_not_depend_on_how_long_it_trains_or_on_interruptions(tmp_path, monkeypatch):
    from scar.reduction import pair_training

    given = pairs(32)
    whole, short = (
        pair_training.train_pair_model(
            settings(steps=steps, checkpoints=steps // 2, warmup=1 / steps),
            *given,
            seed=3,
            folder=tmp_path / "w",
            look=look,
        )
        for steps in (8, 4)
    )
    assert list(whole.seen) == [2, 4, 6, 8]
    np.testing.assert_allclose(whole.seen[4]["red"], short.seen[4]["red"], atol=1e-6)
    np.testing.assert_allclose(whole.seen[8]["red"], whole.embed_texts(["a red picture"]), atol=1e-6)
    assert np.abs(whole.seen[8]["red"] - whole.seen[4]["red"]).max() > 1e-3
    config = settings(steps=8, checkpoints=4, warmup=1 / 8)
    with interrupted(monkeypatch):
        pair_training.train_pair_model(config, *given, seed=3, folder=tmp_path / "cut", look=look)
    resumed = pair_training.train_pair_model(config, *given, seed=3, folder=tmp_path / "cut", look=look)
    assert sorted(resumed.seen) == [2, 4, 6, 8]
    for step, each in whole.seen.items():
        np.testing.assert_allclose(resumed.seen[step]["red"], each["red"], atol=1e-6)


def test_a_locked_model_learns_from_features_and_reads_back(tmp_path):
    from scar.reduction.pair_training import load, save, train_pair_model

    images, captions = pairs(96)
    features = images.reshape(96, -1).astype(np.float32) / 128 - 1
    config = settings(towers="locked", learning_rate=1e-2)
    model = train_pair_model(config, features, captions, seed=0, folder=tmp_path / "work")
    nearest = (model.embed_images(features) @ model.embed_texts([f"a {name} picture" for name in COLOURS]).T).argmax(1)
    assert np.mean([captions[i] == f"a {list(COLOURS)[n]} picture" for i, n in enumerate(nearest)]) > 0.9
    save(model, tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").embed_images(features), model.embed_images(features))
    texts = ["a red picture", "white", "picture red a"]
    alone = np.concatenate([model.embed_texts([text]) for text in texts])
    np.testing.assert_allclose(model.embed_texts(texts), alone, atol=1e-5)
    np.testing.assert_allclose(alone[0], alone[2], atol=1e-5)


def test_models_of_one_seed_start_alike_and_see_the_same_positions(tmp_path):
    from scar.reduction.pair_model import PairModel
    from scar.reduction.tokens import make_tokenizer

    tokenizer = make_tokenizer(pairs(32)[1], vocabulary=50)
    one, two, other = (PairModel(settings(), tokenizer, seed=seed) for seed in (1, 1, 2))
    for each, seed in ((one, 0), (two, 5), (other, 0)):
        each.attach(*pairs(32, seed))
    states = [each.towers.clip.visual_projection.weight.detach().numpy() for each in (one, two, other)]
    np.testing.assert_array_equal(states[0], states[1])
    assert not np.array_equal(states[0], states[2])
    orders = [np.concatenate([batch.numpy() for batch in each._batches(0)]) for each in (one, two, other)]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
    assert sorted(orders[0]) == list(range(32))


def test_pairs_that_do_not_fit_are_refused(tmp_path):
    from scar.reduction.pair_training import train_pair_model

    images, captions = pairs(8)
    with pytest.raises(ValueError, match="8 images and 7 captions"):
        train_pair_model(settings(), images, captions[:7], seed=0, folder=tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("patch_size", 5, r"reduction\.pair_model\.patch_size=5 must divide image_size=32"),
        ("heads", 3, r"reduction\.pair_model\.heads=3 must divide width=64"),
        ("checkpoints", 0, r"reduction\.pair_model\.checkpoints=0 must be at least 1"),
        ("steps", 3, r"reduction\.pair_model\.steps=3 must be at least checkpoints=8"),
        ("average", 1.0, r"reduction\.pair_model\.average=1\.0 must be a share"),
        ("towers", "three", r"reduction\.pair_model\.towers='three' is unknown; use one of clip, locked"),
        ("temperature", 0.0, r"reduction\.pair_model\.temperature=0\.0 must be above 0"),
        ("warmup", 1.0, r"reduction\.pair_model\.warmup=1\.0 must be a share"),
        ("precision", "64", r"reduction\.pair_model\.precision='64': use 32-true or bf16-mixed"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(field, value, message):
    with pytest.raises(ValueError, match=message):
        PairModelConfig(**{field: value})

"""Masked answers, the two heads, and generated classes."""

import numpy as np
import pytest

from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.studies.indicators.head_training import train_linear, train_mlp
from scar.studies.indicators.heads import HeadTask, masked_predictions
from scar.studies.indicators.synthetic import fractal_images, nonsense_texts


def test_logits_outside_the_target_classes_cannot_win_or_count_as_zero():
    logits = np.array([[5.0, 1.0, 2.0], [9.0, -1.0, -2.0]], np.float32)
    classes, targets = np.array([3, 4, 8]), np.array([4, 8])
    assert masked_predictions(logits, classes, targets).tolist() == [8, 4]
    assert masked_predictions(logits, classes, targets, masking="zero").tolist() == [8, 3]  # both logits are negative
    with pytest.raises(ValueError, match=r"\[5\] are not among"):
        masked_predictions(logits, classes, np.array([4, 5]))
    with pytest.raises(ValueError, match="masking='none'"):
        masked_predictions(logits, classes, targets, masking="none")


def rings(n=400):
    """Two classes that no line divides, and a third that one does."""
    rng = np.random.default_rng(0)
    angle, labels = rng.uniform(0, 2 * np.pi, n), np.arange(n) % 3
    radius = np.array([0.5, 2.0, 2.0])[labels] + 0.1 * rng.normal(size=n)
    x = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), 4.0 * (labels == 2)])
    return x.astype(np.float32), labels.astype(np.int64) + 5


def test_a_linear_head_divides_by_lines_and_an_mlp_by_more():
    x, labels = rings()
    rows, stop = np.arange(300), np.arange(300, 400)
    task = HeadTask(
        rows=rows, labels=labels[rows], validation=stop, validation_labels=labels[stop],
        classes=np.array([5, 6, 7]), seed=1,
    )  # fmt: skip
    config = ProbeConfig.linear(learning_rate=0.05, max_epochs=60)
    linear = train_linear(x, [task], config=config, trainer=TrainerConfig())[0]
    mlp = train_mlp(x, [task, task], max_epochs=200, patience=200)
    answers = {name: task.classes[head(x[stop]).argmax(axis=1)] for name, head in (("linear", linear), ("mlp", mlp[0]))}
    right = {name: answer == labels[stop] for name, answer in answers.items()}
    third = labels[stop] == 7
    assert right["linear"][third].mean() > 0.95
    assert right["linear"][~third].mean() < 0.8
    assert right["mlp"].mean() > 0.95
    np.testing.assert_array_equal(mlp[0](x), mlp[1](x))  # the seed decides


def test_tasks_with_different_label_sets_are_trained_side_by_side_as_alone():
    x, labels = rings()
    both = labels < 7
    tasks = [
        HeadTask(
            rows=np.flatnonzero(keep)[:200], labels=labels[keep][:200], validation=np.flatnonzero(both)[-50:],
            validation_labels=labels[both][-50:], classes=np.unique(labels[keep]), seed=0,
        )
        for keep in (np.ones(len(x), bool), both)
    ]  # fmt: skip
    settings = {"config": ProbeConfig.linear(max_epochs=5), "trainer": TrainerConfig()}
    together = train_linear(x, tasks, **settings)
    for task, head in zip(tasks, together, strict=True):
        np.testing.assert_array_equal(head(x), train_linear(x, [task], **settings)[0](x))
    assert together[1](x).shape == (len(x), 2)


def test_images_of_a_fractal_class_are_like_each_other_and_unlike_other_classes():
    images = fractal_images(6, 12, shape=(28, 28), seed=0)
    assert images.shape == (72, 28, 28)
    np.testing.assert_array_equal(images, fractal_images(6, 12, shape=(28, 28), seed=0))
    flat = images.reshape(72, -1).astype(float)
    assert (flat.std(axis=1) > 10).all()
    nearest = ((flat[:, None] - flat[None]) ** 2).sum(axis=2) + np.diag(np.full(72, np.inf))
    classes = np.repeat(np.arange(6), 12)
    assert (classes[nearest.argmin(axis=1)] == classes).mean() > 0.8


def test_nonsense_classes_differ_in_the_words_they_use():
    texts = nonsense_texts(4, 50, seed=0)
    assert len(texts) == 200
    assert texts == nonsense_texts(4, 50, seed=0)
    used = [{w for text in texts[50 * c : 50 * c + 50] for w in text.split()} for c in range(4)]
    counts = [sum(text.split().count(w) for text in texts[:50] for w in sorted(used[0])[:5]) for _ in range(1)]
    assert counts[0] > 0
    assert all(used[a] != used[b] for a in range(4) for b in range(a))

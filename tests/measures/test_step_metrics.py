import subprocess
import sys

import numpy as np
import pytest
import torch
from naive_measures import draw_logits

from scar.measures.metrics import StepAuthenticity, StepCoverage, StepRichness, StepScale
from scar.measures.steps import MEASURES, scar_measures


def collection(classes, decision="argmax", **options):
    from torchmetrics import MetricCollection

    return MetricCollection(
        {
            "scale": StepScale(classes, decision),
            "coverage": StepCoverage(classes, decision, **options),
            "authenticity": StepAuthenticity(classes, decision),
            "richness": StepRichness(classes, decision),
        }
    )


def feed(metrics, logits, labels, batch=97):
    for start in range(0, len(labels), batch):
        metrics.update(torch.tensor(logits[start : start + batch]), torch.tensor(labels[start : start + batch]))


def assert_equals_one_shot(values, measures):
    for name in MEASURES:
        np.testing.assert_allclose(values[name].numpy(), getattr(measures, name), rtol=1e-14, err_msg=name)


@pytest.mark.parametrize("decision", ["argmax", "threshold"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_collection_over_batches_equals_the_one_shot_form(decision, dtype):
    logits, labels = draw_logits(1000, 4, dtype=dtype)
    metrics = collection(4, decision, bins=50, min_count=10)
    feed(metrics, logits, labels)
    measures = scar_measures(logits, labels, decision=decision, bins=50, min_count=10)
    assert_equals_one_shot(metrics.compute(), measures)


def test_merged_states_equal_one_process():
    logits, labels = draw_logits(900, 5)
    left, right = collection(5), collection(5)
    feed(left, logits[:300], labels[:300])
    feed(right, logits[300:], labels[300:])
    for name in MEASURES:
        left[name].merge_state(right[name])
    assert_equals_one_shot(left.compute(), scar_measures(logits, labels))


def test_forward_returns_the_batch_and_keeps_the_whole():
    logits, labels = draw_logits(600, 3)
    metric = StepAuthenticity(3)
    first = metric(torch.tensor(logits[:200]), torch.tensor(labels[:200]))
    metric(torch.tensor(logits[200:]), torch.tensor(labels[200:]))
    np.testing.assert_array_equal(first.numpy(), scar_measures(logits[:200], labels[:200]).authenticity)
    np.testing.assert_array_equal(metric.compute().numpy(), scar_measures(logits, labels).authenticity)


def test_reset_forgets():
    logits, labels = draw_logits(400, 3)
    metrics = collection(3)
    feed(metrics, -logits, labels)
    metrics.reset()
    feed(metrics, logits, labels)
    assert_equals_one_shot(metrics.compute(), scar_measures(logits, labels))


def test_the_state_holds_true_positives_not_logits():
    logits, labels = draw_logits(500, 40, shift=8.0)
    metric = StepCoverage(40)
    feed(metric, logits, labels)
    assert sum(state.numel() for state in metric.logits) == scar_measures(logits, labels).true_positives.sum()


def test_half_precision_and_options():
    logits, labels = draw_logits(300, 3)
    half = torch.tensor(logits).bfloat16()
    metric = StepCoverage(3)
    metric.update(half, torch.tensor(labels))
    np.testing.assert_allclose(
        metric.compute().numpy(), scar_measures(half.double().numpy(), labels).coverage, rtol=1e-14
    )
    scale = StepScale(3, fraction=0.2)
    scale.update(half, torch.tensor(labels))
    np.testing.assert_allclose(scale.compute().numpy(), 0.2)


def test_invalid_arguments_are_named():
    for build, message in (
        (lambda: StepScale(1), "num_classes=1"),
        (lambda: StepRichness(3, "softmax"), "decision='softmax'"),
        (lambda: StepCoverage(3, bins=0), "bins=0"),
        (lambda: StepScale(3, fraction=2.0), "fraction=2.0"),
        (lambda: StepScale(3).update(torch.zeros(2, 4), torch.zeros(2, dtype=torch.long)), "logits has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            build()


def test_the_measures_alone_do_not_import_torch_or_scipy():
    code = (
        "import sys; from scar.measures.steps import scar_measures; "
        "from scar.measures.debias import coverage_deficit; from scar.foundation.published import ReferenceEstimator; "
        "from scar.foundation.set_level import set_foundation_size; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'scipy', 'torchmetrics')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _gather(rank, port, folder):
    import os

    import torch.distributed as dist

    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=2)
    logits, labels = draw_logits(900, 5)
    rows = slice(0, 250) if rank == 0 else slice(250, None)
    metrics = collection(5)
    feed(metrics, logits[rows], labels[rows])
    torch.save(metrics.compute(), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_compute_what_one_computes(tmp_path):
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.spawn(_gather, args=(port, str(tmp_path)), nprocs=2)
    measures = scar_measures(*draw_logits(900, 5))
    for rank in range(2):
        assert_equals_one_shot(torch.load(tmp_path / f"{rank}.pt"), measures)

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from probe_problems import assert_same, gaussian_classes, tasks_of_sizes

from scar.probes._shared_features import Features
from scar.probes.adam import AdamRun, initial_weights, torch_generator
from scar.probes.block import Block, plan_blocks
from scar.probes.lbfgs import LBFGSRun
from scar.probes.probe_set import ProbeTask
from scar.probes.rows import RowSource
from scar.probes.settings import ProbeConfig, TrainerConfig
from scar.probes.train import train_probes

ROOT = Path(__file__).parents[2]
CLASSES = 5
VALIDATION = np.arange(2000, 2300)
X, Y = gaussian_classes(2500, 24, CLASSES)
TASKS = tasks_of_sizes([1200, 40, 130, 501, 500, 77], pool=2000, validation=VALIDATION)
CONFIGS = {
    "linear": ProbeConfig.linear(batch_size=100, max_epochs=25, patience=2),
    "reference": ProbeConfig.linear(
        batch_size=None, scaling="unit_norm", monitor="train_accuracy", restore_best=False, max_epochs=25
    ),
    "converged_path": ProbeConfig(solver="lbfgs", penalties=(0.1, 0.01, 0.001), patience=1),
}


def train(tasks=TASKS, config=CONFIGS["linear"], features=X, labels=Y, **options):
    return train_probes(features, labels, tasks, num_classes=CLASSES, config=config, **options)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_probes_trained_together_equal_probes_trained_alone(config):
    together = train(config=config)
    for index, task in enumerate(TASKS):
        assert_same(together.select([index]), train([task], config))


@pytest.mark.parametrize(
    "trainer",
    [TrainerConfig(threads=1), TrainerConfig(threads=3), TrainerConfig(memory_gib=130 * 25 * 4 / 2**30)],
    ids=["one thread", "three threads", "one block at a time"],
)
def test_threads_and_memory_do_not_change_a_bit(trainer):
    assert_same(train(trainer=TrainerConfig(threads=2)), train(trainer=trainer))


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_probe_too_large_for_the_memory_is_streamed_to_the_same_result(config, tmp_path, caplog):
    np.save(tmp_path / "features.npy", X)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    with caplog.at_level("INFO", "scar.probes"):
        streamed = train(config=config, features=mapped, trainer=TrainerConfig(memory_gib=1e-9))
    assert f"; {len(TASKS)} too large for it are streamed" in caplog.text
    assert_same(train(config=config), streamed)


def test_streamed_probes_without_a_validation_part_are_checked_for_degeneracy_on_their_rows():
    none = np.zeros(0, dtype=np.int64)
    tasks = [replace(TASKS[0], validation=none), ProbeTask(np.flatnonzero(Y[:2000] == 3)[:80], none, 1)]
    streamed = train(tasks, CONFIGS["reference"], trainer=TrainerConfig(memory_gib=1e-9))
    assert_same(train(tasks, CONFIGS["reference"]), streamed)
    assert list(streamed.degenerate) == [False, True]


@pytest.mark.parametrize("name", ["linear", "reference"])
def test_features_that_lie_on_the_device_give_the_same_rows(name):
    rows = np.array([2400, 3, 3, 700, 0])
    from_host, from_device = (
        _source(CONFIGS[name], align=16, resident=there).load(rows, torch.empty(5, 32)) for there in (False, True)
    )
    assert torch.equal(from_host, from_device)
    assert from_host[:, :24].all()
    assert torch.equal(from_host[:, 24], torch.ones(5))
    assert not from_host[:, 25:].any()
    assert torch.equal(from_host[1], from_host[2])


def test_the_order_of_the_tasks_does_not_matter():
    assert_same(train().select([5, 4, 3, 2, 1, 0]), train(TASKS[::-1]))


def test_a_bank_probe_equals_a_plain_torch_loop_on_the_same_batches():
    config = ProbeConfig.linear(batch_size=100, max_epochs=5, restore_best=False)
    task = TASKS[0]
    rows = X[task.train]
    mean, std = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    x = torch.from_numpy(((rows - mean) / std).astype(np.float32))
    y = torch.from_numpy(Y[task.train])
    layer = torch.nn.Linear(X.shape[1], CLASSES)
    start = initial_weights(task, _block([task], config))
    with torch.no_grad():
        layer.weight.copy_(start[:, :-1])
        layer.bias.copy_(start[:, -1])
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-3)
    generator = torch_generator(task, "probe-order")
    for _ in range(config.max_epochs):
        for batch in torch.randperm(len(x), generator=generator).split(100):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(x[batch]), y[batch]).backward()
            optimizer.step()
    weights = layer.weight.detach().double().numpy().T / std[:, None]
    probe = train([task], config)
    assert probe.epochs[0] == 5
    np.testing.assert_allclose(probe.weights[0] * std[:, None], weights * std[:, None], atol=1e-6)
    np.testing.assert_allclose(probe.biases[0], layer.bias.detach().numpy() - mean @ weights, atol=1e-5)


def _block(tasks, config, plan=None, align=1):
    source = _source(config, align=align)
    plan = plan or plan_blocks(tasks, config, stacked=False)[0]
    validation = source.load(VALIDATION, torch.empty(len(VALIDATION), X.shape[1] + 1))
    return Block(plan, source, Y, tasks, validation, num_classes=CLASSES, config=config, class_align=align)


def _source(config, **options):
    unit_norm = config.scaling == "unit_norm"
    return RowSource(Features(X), unit_norm=unit_norm, device=torch.device("cpu"), **options)


@pytest.mark.parametrize("name", ["linear", "converged_path"])
def test_stacked_and_padded_blocks_train_the_same_probes(name):
    config = replace(CONFIGS[name], tolerance=1e-7)
    alone = train(config=config)
    plans = plan_blocks(TASKS, config, stacked=True)
    assert max(len(plan.probes) for plan in plans) > 1
    assert any(plan.size > len(plan.probes) for plan in plans)
    assert sorted(index for plan in plans for index in plan.probes) == list(range(len(TASKS)))
    for plan in plans:
        block = _block(TASKS, config, plan, align=16)
        run = (AdamRun if config.solver == "adam" else LBFGSRun)(block, config)
        while not bool(run.finished.all()):
            run.epoch()
        for place, index in enumerate(plan.probes):
            weights = block.fold(run.kept)[place, :, :-1].T.numpy()
            atol = 1e-5 if config.solver == "adam" else 5e-3
            np.testing.assert_allclose(weights, alone.weights[index], atol=atol)
            assert run.penalty[place] == alone.penalty[index]


def test_a_block_shape_follows_from_the_task_alone():
    config = ProbeConfig.linear(batch_size=100)
    for index, task in enumerate(TASKS):
        (alone,) = plan_blocks([task], config, stacked=True)
        (among,) = [plan for plan in plan_blocks(TASKS, config, stacked=True) if index in plan.probes]
        assert (alone.size, alone.rows) == (among.size, among.rows)
        assert alone.rows >= len(task.train)


def test_features_may_be_memory_mapped(tmp_path: Path):
    np.save(tmp_path / "features.npy", X)
    assert_same(train(), train(features=np.load(tmp_path / "features.npy", mmap_mode="r")))


def test_the_caller_keeps_its_threads_its_folder_and_a_quiet_terminal(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert list(tmp_path.iterdir()) == []
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_progress_ends_with_every_probe_done():
    seen = []
    train(progress=lambda done, total, watched: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1] == (len(TASKS), len(TASKS))
    assert len(seen) > 3


def test_progress_tells_the_mean_of_what_the_probes_in_work_watched():
    seen = []
    made = train(progress=lambda done, total, watched: seen.append(watched))
    for epoch, watched in enumerate(seen):
        in_work = np.isfinite(made.curve[:, epoch])
        assert watched == pytest.approx(made.curve[in_work, epoch].mean(), rel=1e-5)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_bank_alone_equals_the_bank_in_lightnings_trainer(config):
    from pytorch_lightning import Callback

    epochs = []

    class Count(Callback):
        def on_train_epoch_end(self, trainer, module):
            epochs.append(trainer.current_epoch)

    assert_same(train(config=config), train(config=config, callbacks=[Count()]))
    assert len(epochs) > 1


def test_a_bank_on_the_cpu_imports_no_lightning():
    code = (
        "import sys; import numpy as np; from scar.probes.train import train_probes; from scar.probes.probe_set import ProbeTask;"
        "from scar.probes.settings import TrainerConfig; rows = np.arange(20); X = np.eye(20, dtype=np.float32);"
        "train_probes(X, rows % 2, [ProbeTask(rows, rows, seed=0)], num_classes=2, trainer=TrainerConfig(accelerator='cpu'));"
        "print(sorted({'pytorch_lightning', 'torchmetrics', 'transformers', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_lightning_logger_sees_the_probes_in_work(tmp_path):
    from pytorch_lightning.loggers import CSVLogger

    train(loggers=[CSVLogger(tmp_path)])
    (metrics,) = tmp_path.rglob("metrics.csv")
    header, *lines = metrics.read_text().splitlines()
    column = header.split(",").index("probes_in_work")
    values = [float(line.split(",")[column]) for line in lines]
    assert values[0] == len(TASKS)
    assert values[-1] == 0


@pytest.mark.parametrize(
    ("limit", "rows", "streamed"),
    [(0, 0, 6), (1200, 1200, 0), (600, 600, 1), (10**6, 1200 + 40 + 130 + 501 + 500 + 77, 0)],
)
def test_the_memory_is_planned_before_training(caplog, limit, rows, streamed):
    big = np.repeat(X, 40, axis=1)
    width = 16 * -(-(24 * 40 + 1) // 16)  # rows begin with a cache line
    trainer = TrainerConfig(memory_gib=(4 * width * limit + 1) / 2**30)
    with caplog.at_level("INFO", "scar.probes"):
        train(features=big, config=ProbeConfig.linear(max_epochs=1), trainer=trainer)
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("scar.probes")]
    assert f"training rows {4 * width * rows / 2**20:.0f} MiB" in line
    assert f"validation rows {4 * width * len(VALIDATION) / 2**20:.0f} MiB" in line
    assert f"{streamed} too large" in line


def test_tasks_of_one_seed_and_size_see_their_rows_in_one_order():
    features, labels = np.concatenate([X, X]), np.concatenate([Y, Y])
    first = TASKS[0]
    copied = ProbeTask(first.train + len(X), first.validation, first.seed)
    other = ProbeTask(first.train, first.validation, first.seed + 100)
    probes = train([first, copied, other], features=features, labels=labels)
    np.testing.assert_array_equal(probes.weights[0], probes.weights[1])
    assert not np.array_equal(probes.weights[0], probes.weights[2])

"""How the jobs of a sweep are composed and shared out."""

import ast
import os
import sys
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import OmegaConf, open_dict

import scar
import scar.config.build  # registers the resolver that names the folders of jobs
from scar.common.ray_cluster import room
from scar.sweep import hydra_internals, local_launcher
from scar.sweep.compose import SweepLoader
from scar.sweep.local_launcher import LocalLauncher
from scar.sweep.optuna_sweeper import OptunaSweeper
from scar.sweep.ray_launcher import RayLauncher
from scar.sweep.units import Unit, divided
from scar.sweep.workers import environment, visible_gpus


@pytest.fixture
def loader():
    with initialize_config_module("scar.conf", version_base="1.3"):
        yield SweepLoader(GlobalHydra.instance().config_loader())


def master(loader, *overrides):
    return loader.load_configuration("config", ["experiment=smoke", *overrides], RunMode.MULTIRUN)


@pytest.mark.parametrize(
    "overrides",
    [
        ["seed=3"],
        ["seed=3", "completion=random", "probe.max_epochs=7"],
        ["dataset=wordnet_glosses", "seed=1"],
        ["dataset=wordnet_glosses", "encoder=tfidf"],
        ["budgets.fractions=[0.1,0.2]", "study=a", "study=b"],
        ["probe=converged", "probe.penalties=[0.1]", "+experiment=null"],
        ["dataset.train_size=500", "~seed"],
        ["completion.name=mine", "completion={name: other}"],
        ["logger.tags=[a,b]", "++logger.project=x"],
        ["paths.output_dir='with space'", "seed=0"],
    ],
    ids=" ".join,
)
def test_a_job_is_composed_as_hydra_composes_it(loader, overrides):
    sweep = master(loader, "hydra.verbose=false", "paths.output_dir=somewhere")
    try:
        expected = loader.inner.load_sweep_config(sweep, list(overrides))
    except Exception as error:
        for _ in range(2):
            with pytest.raises(type(error)):
                loader.load_sweep_config(sweep, list(overrides))
        return
    for _ in range(2):  # the second time from the copy
        composed = loader.load_sweep_config(sweep, list(overrides))
        assert OmegaConf.to_yaml(composed) == OmegaConf.to_yaml(expected)
        assert OmegaConf.is_struct(composed)
        assert composed.hydra.sweep.subdir == expected.hydra.sweep.subdir


def test_jobs_that_differ_in_values_are_composed_once(loader, monkeypatch):
    sweep, calls = master(loader), []
    inner = loader.inner.load_sweep_config
    monkeypatch.setattr(loader.inner, "load_sweep_config", lambda *a: calls.append(a) or inner(*a))
    configs = [
        loader.load_sweep_config(sweep, [f"seed={s}", f"completion={c}"]) for s in (0, 1) for c in ("scar", "random")
    ]
    assert len(calls) == 2
    assert [(c.seed, c.completion.name) for c in configs] == [(0, "scar"), (0, "random"), (1, "scar"), (1, "random")]


def test_a_key_with_a_dot_is_not_looked_for_among_the_groups(loader, monkeypatch):
    sweep, asked = master(loader), []
    inner = loader.inner.get_group_options
    monkeypatch.setattr(loader.inner, "get_group_options", lambda key, *a: asked.append(key) or inner(key, *a))
    loader.load_sweep_config(sweep, ["seed=1", "completion=random", "probe.max_epochs=7", "paths.output_dir=there"])
    assert asked == ["seed", "completion"]


def launcher_on(loader, folder):
    hydra_internals.register(LocalLauncher, RayLauncher, OptunaSweeper)
    launcher = LocalLauncher()
    context = SimpleNamespace(config_loader=loader, callbacks=None)
    sweep = master(loader, f"paths.output_dir={folder}")
    launcher.setup(hydra_context=context, task_function=lambda config: None, config=sweep)
    return launcher


def test_jobs_that_are_done_are_composed_once_each(loader, monkeypatch, tmp_path):
    launcher, composed = launcher_on(loader, tmp_path), []
    compose = loader.load_sweep_config
    monkeypatch.setattr(loader, "load_sweep_config", lambda *a: composed.append(a[1]) or compose(*a))
    monkeypatch.setattr(local_launcher, "_look", lambda job, alone: ("all", 0.5 + job.seed))
    jobs = [[f"seed={seed}"] for seed in range(3)]
    assert [each.return_value for each in launcher.launch(jobs, 0)] == [0.5, 1.5, 2.5]
    assert composed == jobs


def test_a_study_that_can_be_no_folder_ends_a_sweep_before_anything_is_written(loader, tmp_path, capsys):
    launcher = launcher_on(loader, tmp_path / "outputs")
    with pytest.raises(SystemExit):
        launcher.launch([["seed=0"], ["seed=1", "study=../elsewhere"]], 0)
    assert "elsewhere" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_job_is_looked_at_without_a_copy_and_its_interpolations_see_it(loader):
    job = loader.load_sweep_config(master(loader), ["seed=1", "study=s${hydra:job.num}"])
    with open_dict(job):
        job.hydra.job.num = 7
    before = HydraConfig.instance().cfg
    with hydra_internals.as_current_job(job):
        assert HydraConfig.get() is job.hydra
        assert job.study == "s7"
    assert HydraConfig.instance().cfg is before


def test_a_bad_value_is_refused_in_hydras_words(loader):
    with pytest.raises(ConfigCompositionException, match=r"probe\.oops"):
        loader.load_sweep_config(master(loader), ["seed=1", "probe.oops=2"])


def test_the_plugins_are_known_to_hydra_by_the_names_in_the_configuration(loader):
    hydra_internals.register(LocalLauncher, RayLauncher, OptunaSweeper)
    sweep = master(loader)
    context = SimpleNamespace(config_loader=loader.inner, callbacks=None)
    launcher = Plugins.instance().instantiate_launcher(context, lambda config: None, sweep)
    assert isinstance(launcher, LocalLauncher)
    assert isinstance(context.config_loader, SweepLoader)
    on_ray = Plugins.instance().instantiate_launcher(
        context, lambda config: None, master(loader, "hydra/launcher=scar_ray")
    )
    assert isinstance(on_ray, RayLauncher)


def test_copies_of_hydras_repository_share_the_store_of_structured_configs(monkeypatch, loader):
    monkeypatch.setattr(ConfigStore, "__deepcopy__", None, raising=False)
    hydra_internals.share_config_store()
    copied = deepcopy(loader.inner.repository)
    (own,) = (source for source in copied.sources if source.scheme() == "structured")
    assert own.store is ConfigStore.instance()
    assert copied.config_exists("hydra/config")


@pytest.mark.parametrize("values", [{"n_jobs": 0}, {"n_jobs": -1}, {"threads": 0}, {"n_jobs": 1.5}])
def test_a_number_of_workers_that_is_none_is_refused(values):
    with pytest.raises(ValueError, match=r"hydra\.launcher\.(n_jobs|threads)="):
        LocalLauncher(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_jobs": 0}, "hydra.launcher.n_jobs=0"),
        ({"cpus": 0}, "hydra.launcher.cpus=0"),
        ({"gpus": 1.5}, "hydra.launcher.gpus=1.5"),
        ({"retries": -1}, "hydra.launcher.retries=-1"),
        ({"address": "ray://head:10001"}, "ray job submit"),
    ],
)
def test_what_ray_cannot_be_asked_for_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        RayLauncher(**values)


def test_a_sweep_on_ray_without_ray_names_the_extra_and_leaves_the_environment(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    before = dict(os.environ)
    with pytest.raises(SystemExit):
        RayLauncher()._run_units([Unit(((0, ()),))], {})
    assert "pip install 'scar-data[ray]'" in capsys.readouterr().err.replace("\n", "")
    assert {name for name in os.environ.keys() ^ before.keys() if name.startswith("RAY_AUTH")} == set()


def test_an_address_where_nobody_answers_is_refused_at_once(capsys):
    with pytest.raises(SystemExit):
        RayLauncher(address="127.0.0.1:1")._run_units([Unit(((0, ()),))], {})
    assert "no cluster of Ray answers at address=127.0.0.1:1" in capsys.readouterr().err.replace("\n", "")


def test_room_is_what_each_node_has_room_for():
    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 2.0}},
        {"Alive": True, "Resources": {"CPU": 3.0}},
        {"Alive": False, "Resources": {"CPU": 99.0, "GPU": 9.0}},
    ]
    ray = SimpleNamespace(nodes=lambda: nodes)
    assert room(ray, cpus=1, gpus=0) == 11
    assert room(ray, cpus=4, gpus=0) == 2
    assert room(ray, cpus=1, gpus=0.5) == 4
    assert room(ray, cpus=4, gpus=1) == 2


def test_large_units_are_halved_until_every_worker_has_one():
    units = [Unit(tuple((i, ()) for i in range(8))), Unit(((8, ()),))]
    parts = divided(units, 4)
    assert len(parts) == 4
    assert sorted(i for unit in parts for i, _ in unit.jobs) == list(range(9))
    assert len(divided([Unit(((0, ()),))], 4)) == 1
    assert divided(units, 2) == units


def test_workers_divide_the_cores_and_the_gpus(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    shares = [environment(slot, 4, None) for slot in range(4)]
    assert sorted(core for share in shares for core in share["cores"]) == list(range(8))
    assert {share["environment"]["OMP_NUM_THREADS"] for share in shares} == {"2"}
    assert "CUDA_VISIBLE_DEVICES" not in shares[0]["environment"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert visible_gpus() == ["4", "6"]
    assert [environment(slot, 3, 1)["environment"]["CUDA_VISIBLE_DEVICES"] for slot in range(3)] == ["4", "6", "4"]


def hydras_names(tree):
    """Yield the names that a module has from Hydra."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "hydra":
            yield from (alias.asname or alias.name for alias in node.names)


def changed_names(tree):
    """Yield the name at the root of everything that a module assigns to: ``A`` of ``A.instance().x[0] = 1``."""
    for node in ast.walk(tree):
        for target in getattr(
            node, "targets", [node.target] if isinstance(node, ast.AugAssign | ast.AnnAssign) else []
        ):
            for each in target.elts if isinstance(target, ast.Tuple) else [target]:
                root = each
                while isinstance(root, ast.Attribute | ast.Subscript | ast.Call):
                    root = root.func if isinstance(root, ast.Call) else root.value
                if root is not each and isinstance(root, ast.Name):
                    yield root.id


def test_one_module_knows_hydras_inside():
    own = Path(hydra_internals.__file__)
    assert "hydra._internal" in own.read_text()
    assert {"ConfigStore", "GlobalHydra", "HydraConfig", "Plugins"} <= set(changed_names(ast.parse(own.read_text())))
    for path in sorted(Path(scar.__file__).parent.rglob("*.py")):
        if path == own:
            continue
        tree = ast.parse(path.read_text())
        modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not [name for name in modules if name.startswith("hydra._internal")], path
        assert not set(changed_names(tree)) & set(hydras_names(tree)), path

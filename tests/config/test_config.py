"""Composition, validation and identity of the configuration."""

from dataclasses import fields
from pathlib import Path

import pytest
import scar.conf
import yaml
from hydra import compose, initialize_config_module
from omegaconf import DictConfig, OmegaConf

from scar.config.build import build, job_digest
from scar.config.nodes import ConfigError, make_target
from scar.config.schema import SCHEMAS, TARGETS

CONF = Path(next(iter(scar.conf.__path__)))
GROUPS = sorted(
    p.name
    for p in CONF.iterdir()
    if p.is_dir() and p.name not in ("hydra", "hparams_search", "experiment", "__pycache__")
)
OPTIONS = [(p.parent.name, p.stem) for g in GROUPS for p in sorted((CONF / g).glob("*.yaml"))]
EXPERIMENTS = sorted(p.stem for p in (CONF / "experiment").glob("*.yaml"))
READ_FROM = {
    "image+text": ["emoji_pairs", "modality=image"],
    "audio+text": ["tux_speech", "modality=audio"],
    "video+text": ["animated_emoji", "modality=video"],
    "audio": ["tux_speech"],
    "video": ["animated_emoji"],
    "image": ["digits"],
    "text": ["wordnet_glosses"],
    "embedding": ["embeddings_file"],
}
REFERENCE = ["split=reference", "probe=reference", "foundation=reference", "budgets=reference"]


@pytest.fixture(autouse=True)
def hydra():
    with initialize_config_module("scar.conf", version_base="1.3"):
        yield


def composed(*overrides: str) -> DictConfig:
    return compose("config", ["dataset=digits", *overrides])


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes_and_validates(group, option):
    config = build(compose("config", [f"{group}={option}", *_companions(group, option)]))
    assert getattr(config, group) is not None


def _companions(group: str, option: str) -> list[str]:
    """Return what an option needs beside it: the other published settings, data that an encoder reads, a modality."""
    if option == "reference":
        return [each for each in REFERENCE if not each.startswith(group)]
    if group == "encoder":
        modality = make_target(compose("config", [f"encoder={option}"]).encoder, "encoder").towers()
        dataset, *more = next(each for read, each in READ_FROM.items() if set(modality) >= set(read.split("+")))
        return [f"dataset={dataset}", *more]
    if group == "dataset":
        modalities = make_target(
            compose("config", [f"dataset={option}", "encoder=pixels"]).dataset, "dataset"
        ).modalities
        return [f"modality={modalities[0]}"]
    if option in ("cross_modal", "joint"):
        return ["dataset=emoji_pairs", "encoder=lite0_minilm", "modality=image", "labels=cross_modal"]
    return []


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_validates(experiment):
    build(compose("config", [f"experiment={experiment}"]))


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda p: p.relative_to(CONF).as_posix())
def test_every_file_begins_with_a_comment_that_says_what_it_is(path):
    lines = [line for line in path.read_text().splitlines() if line != "# @package _global_"]
    assert lines[0].startswith("# ")
    yaml.safe_load(path.read_text())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+split.valdation=0.2", r"split\.valdation is unknown; did you mean split\.validation"),
        ("+encoder.depth=3", r"encoder\.depth is unknown.*allowed: "),
        ("split.validation=0.7", r"split\.validation=0\.7 must lie in \[0, 0\.5\)"),
        ("split.validation=much", r"split\.validation.*'much'"),
        ("subsets.factors=[2,3]", r"subsets\.factors=\[2, 3\]"),
        ("probe.solver=newton", r"probe\.solver='newton'.*adam, lbfgs"),
        ("+sead=3", r"sead is unknown; did you mean seed\?"),
        ("seed=-1", r"seed=-1"),
        ("seed=${oops}", r"seed: .*oops"),
        ("study=..", r"study='\.\.'"),
        ("study=store", r"study='store' is the folder of the store"),
        ("subsets.factors=7", r"subsets\.factors=7"),
        ("completion.rule=pubished", r"completion\.rule='pubished'.*published"),
        ("completion.unit=odd", r"completion\.unit='odd'.*whole_set, class_mix, even"),
        ("completion=slice_tuner completion.fairness=-1", r"completion\.fairness=-1"),
        ("completion=slice_tuner completion.fairness=inf", r"completion\.fairness=inf must be at least 0 and finite"),
        ("foundation.rate=inf", r"foundation\.rate=inf must be positive and finite"),
        ("budgets.collect=inf", r"budgets\.collect=inf must be positive and finite"),
        ("rounds=default rounds.penalty=inf", r"penalty=inf must be above 0 and finite"),
        ("budgets.unit=hours", r"budgets\.unit='hours'.*samples, money"),
        ("+budgets.minimum.cat=-3", r"budgets\.minimum\.cat=-3"),
        ("selection=semantic_dedup selection.threshold=2", r"selection\.threshold=2"),
        ("budgets.fractions=[0.1000001,0.1000002]", r"budgets\.fractions=.*must differ"),
        ("split.group=writer regime=long_tailed", r"split\.group='writer'.*regime=natural"),
        ("regime=missing_class pool.mix=same", r"pool\.mix=same with regime=missing_class: .*pool\.mix=natural"),
        ("pool.mix=complement", r"pool\.mix=complement with regime=natural: .*pool\.mix=natural"),
        ("pool.mix=complement regime=noisy_20", r"pool\.mix=complement with regime=noisy_20"),
        ("pool.mix=complement regime=shift", r"pool\.mix=complement with regime=shift"),
        ("deployment=natrual", r"deployment='natrual' is unknown; use natural, uniform"),
        ("deployment=null", r"deployment=None is unknown; use natural, uniform"),
        ("deployment={0:0.5,1:0.4}", r"deployment: the shares sum to 0\.9, not to 1"),
        ("deployment={0:0.5,1:half}", r"deployment\.1='half' is no number"),
        ("objective=f1", r"objective='f1' must end in a score, one of matched_accuracy"),
        ("pool.mix=even", r"pool\.mix='even' is unknown; use one of same, natural, balanced, complement, or null"),
        ("pool.mix=balanced budgets.of=[natural]", r"pool\.mix=balanced is not among .*budgets\.of=\['natural'\]"),
        ("budgets=pools budgets.fractions=[0.1,0.75]", r"budgets\.fractions: 0\.75 of the smallest pool"),
        ("seed=half", r"seed='half'"),
        ("study=a/b", r"study='a/b'"),
        ("budgets.fractions=[0]", r"budgets\.fractions=\[0"),
        ("budgets.driver=oracle", r"budgets\.driver='oracle'"),
        ("store.policy=never", r"store\.policy='never'"),
        ("logger.wandb=maybe", r"logger\.wandb='maybe'"),
        ("labels.kind=ordinal", r"labels\.kind='ordinal'"),
        ("regime.ratio=0.1 regime=long_tailed", r"regime\.ratio=0\.1"),
        ("split.heldout=0", r"split\.heldout=0.*foundation=reference"),
        ("split.validation=0", r"split\.validation=0.*probe=reference"),
        ("encoder._target_=scar.nothing.Here", r"encoder\._target_=scar\.nothing\.Here cannot be imported"),
        ("encoder._target_=pathlib.Path", r"must be a dataclass"),
        ("selection._target_=scar.sampling.regimes.regime.Natural", r"Natural must be a subclass of Selection"),
    ],
)
def test_what_cannot_run_is_refused_with_the_key_the_value_and_the_way_out(override, message):
    with pytest.raises(ConfigError, match=message):
        build(composed(*override.split(" ")))


def test_an_unknown_option_is_refused_by_hydra_with_the_options_there_are():
    from hydra.errors import MissingConfigException

    with pytest.raises(MissingConfigException, match="digits"):
        compose("config", ["dataset=cifar11"])


def test_the_default_encoder_follows_the_dataset_and_can_be_overridden():
    assert composed().encoder.name == "pixels"
    assert compose("config", ["dataset=wordnet_glosses"]).encoder.modality == "text"
    assert compose("config", ["dataset=fashion_mnist", "encoder=pixels"]).encoder.name == "pixels"
    assert compose("config", ["encoder=pixels", "dataset=fashion_mnist"]).encoder.name == "pixels"
    assert compose("config", ["experiment=smoke", "dataset=fashion_mnist"]).encoder.name == "pixels"
    assert compose("config", ["experiment=inspect", "dataset=wordnet_glosses"]).encoder.name == "minilm"
    corrected = ["dataset=corrected", "dataset@dataset.source=wordnet_glosses"]
    assert compose("config", corrected).encoder.name == "minilm"
    assert compose("config", [*corrected, "encoder=tfidf"]).encoder.name == "tfidf"


def test_titles_change_no_identity():
    titled = composed("dataset.title=Ours", "encoder.title=Dots", "+regime.title=plain", "completion.title=need")
    assert build(titled).dataset.title == "Ours"
    assert job_digest(titled) == job_digest(composed())


def test_a_job_is_named_by_what_can_change_a_number():
    digest = job_digest(composed())
    for runtime in (
        "study=other",
        "logger=csv",
        "paths.output_dir=/elsewhere",
        "trainer.threads=1",
        "store.policy=refresh",
    ):
        assert job_digest(composed(runtime)) == digest, runtime
    for other in ("seed=1", "completion=random", "probe.learning_rate=0.1", "dataset.seed=1", "regime=long_tailed"):
        assert job_digest(composed(other)) != digest, other


@pytest.mark.parametrize(
    ("regime", "mix"),
    [("natural", "natural"), ("long_tailed_50", "same"), ("missing_class", "natural"), ("noisy_20", "natural")],
)
@pytest.mark.parametrize("pool", ["labelled", "unlabelled"])
def test_a_pool_without_a_mix_has_that_of_the_regime_and_is_the_same_job(regime, mix, pool):
    given = [f"regime={regime}", f"pool={pool}"]
    assert build(composed(*given)).pool.mix == mix
    assert job_digest(composed(*given)) == job_digest(composed(*given, f"pool.mix={mix}"))
    assert job_digest(composed(*given)) != job_digest(composed(*given, "pool.mix=balanced"))


def test_pairs_have_one_pool_for_both_directions():
    pairs = ["dataset=emoji_pairs", "modality=image", "labels=cross_modal", "completion=joint"]
    with pytest.raises(ConfigError, match=r"pool\.mix=balanced .*completion=joint .*pool\.mix=natural"):
        build(compose("config", [*pairs, "pool.mix=balanced"]))


def test_every_knob_does_something():
    """Changing any non-runtime leaf of the composed configuration changes the name of the job."""
    base = composed("regime=long_tailed")
    digest = job_digest(base)
    groups = [group for group in (*SCHEMAS, *TARGETS) if group not in ("trainer", "logger", "paths", "store")]
    changed = 0
    for group in groups:
        config = getattr(build(base), group)
        runtime = {f.name for f in fields(config) if f.metadata.get("runtime")}
        for key, value in base[group].items():
            other = different(value)
            if key in {*runtime, "_target_"} or other is None:
                continue
            variant = OmegaConf.merge(base, {group: {key: other}})
            assert job_digest(variant) != digest, f"{group}.{key}"
            changed += 1
    assert changed > 25


def different(value):
    """Return another value of the same type, or None where the type does not tell one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value * 1.001 + 1e-4 if isinstance(value, float) else value + 1
    return f"{value}x" if isinstance(value, str) else None


def test_a_refused_configuration_has_a_name_too():
    assert job_digest(composed("split.validation=0.7")) != job_digest(composed("split.validation=0.8"))

"""What each group of a configuration allows but no run can do."""

from __future__ import annotations

from pathlib import Path

from scar.common.named import check_name, check_part
from scar.config.nodes import ConfigError, find_task
from scar.config.schema import Config
from scar.foundation.estimates import ONE_CLASS
from scar.sampling.pool_mix import BALANCED, NATURAL, SAME, check_mix


def check_combination(config: Config) -> None:
    """Refuse what each group allows but no run can do."""
    if config.task is not None:
        find_task(config.task)
    needs_heldout = {"heldout", "learning_curve"} & set(config.foundation.estimators)
    if needs_heldout and not config.split.heldout:
        raise ConfigError(
            f"split.heldout=0, but foundation.estimators={list(config.foundation.estimators)} measure on a held-out "
            "part; use foundation=reference or give split.heldout a share"
        )
    check_study(config.study, output_dir=config.paths.output_dir, store_dir=config.paths.store_dir)
    for group in ("dataset", "encoder", "regime", "completion"):
        try:
            check_part(f"{group}.name", getattr(config, group).name)
        except ValueError as error:
            raise ConfigError(str(error)) from error
    if config.pool.hides_labels and config.completion.sees_reserve:
        raise ConfigError(
            f"completion={config.completion.name} sees the labels of the reserve, which pool={config.pool.name} hides; "
            "use pool=labelled"
        )
    if config.pool.hides_labels and not config.split.validation:
        raise ConfigError(
            f"split.validation=0, but pool={config.pool.name} calibrates probabilities on a validation part; use "
            "pool=labelled or give split.validation a share"
        )
    if config.split.group and not config.regime.keeps_groups:
        raise ConfigError(
            f"split.group={config.split.group!r} keeps groups together, but regime={config.regime.name} moves single "
            "samples; use regime=natural"
        )
    _check_pool(config)
    _check_pairs(config)
    _check_consensus(config)
    _check_several_labels(config)
    _check_unlabelled(config)
    if config.budgets.driver not in config.foundation.estimators:
        raise ConfigError(
            f"budgets.driver={config.budgets.driver!r} is not computed; add it to "
            f"foundation.estimators={list(config.foundation.estimators)}"
        )
    if config.probe.needs_validation and not config.split.validation:
        raise ConfigError(
            f"split.validation=0, but probe={config.probe.name} stops or chooses on a validation part; use "
            "probe=reference or give split.validation a share"
        )


def check_study(study: object, *, output_dir: str | Path, store_dir: str | Path) -> None:
    """Refuse a study whose folder would lie anywhere but in the output folder, or in the store.

    Raises:
        ConfigError: it would.
    """
    try:
        check_name("study", study)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    folder, store = Path(output_dir, str(study)).resolve(), Path(store_dir).resolve()
    if folder.is_relative_to(store):
        raise ConfigError(f"study={study!r} is the folder of the store; name the study otherwise")


def _check_pool(config: Config) -> None:
    """Refuse a pool that the regime leaves no room for, and a comparison of pools that would not be one."""
    try:
        check_mix(config.mix, config.regime)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if config.completion.is_joint and config.mix == BALANCED:
        raise ConfigError(
            f"pool.mix={config.mix} balances the classes of one direction, but completion={config.completion.name} needs "
            "one pool for both; use pool.mix=natural"
        )
    compared = config.budgets.of
    if compared and config.mix not in compared:
        raise ConfigError(
            f"pool.mix={config.mix} is not among the pools that budgets.of={list(compared)} compares; add it there"
        )


def _check_several_labels(config: Config) -> None:
    """Refuse what takes samples of one class each where a sample carries any number of labels."""
    if not config.several_labels:
        return
    planner = config.completion.why_one_class
    refused = {
        f"regime={config.regime.name}": ""
        if config.regime.name == "natural"
        else "it takes samples away by their class",
        f"pool.mix={config.mix}": "" if config.mix in (SAME, NATURAL) else "its mix is one of classes",
        f"budgets.of={list(config.budgets.of)}": "pools are compared by their mix of classes"
        if config.budgets.of
        else "",
        f"pool={config.pool.name}": "labels are predicted as one class each" if config.pool.hides_labels else "",
        f"completion={config.completion.name}": planner,
        f"selection={config.selection.name}": ""
        if config.selection.name == "random"
        else "it ranks samples of one class",
        f"budgets.driver={config.budgets.driver}": (
            "the published estimate is of arg-max decisions" if config.budgets.driver in ONE_CLASS else ""
        ),
        f"probe.monitor={config.probe.monitor}": (
            "it counts arg-max decisions" if config.probe.monitor == "train_accuracy" else ""
        ),
        f"task={config.task}": "the study compares classes" if config.task is not None else "",
        f"deployment={config.deployment}": (
            ""
            if isinstance(config.deployment, str)
            else "shares of several labels are taken by scar.characterize alone"
        ),
    }
    for what, why in refused.items():
        if why:
            raise ConfigError(
                f"{what} does not go with samples that carry several labels (dataset={config.dataset.name}): {why}; use "
                "regime=natural, pool=labelled with pool.mix=natural, selection=random and completion=scar, random, "
                "class_average, water_filling, long_tail_first, proportional or error_proportional"
            )


def _check_unlabelled(config: Config) -> None:
    """Refuse what cannot plan for samples without a label."""
    if not config.dataset.pools_unlabelled:
        return
    refused = {
        f"labels={config.labels.name}": "the clusters of pairs are labels of all"
        if config.labels.kind != "given"
        else "",
        f"completion={config.completion.name}": "it sees the labels of the pool"
        if config.completion.sees_reserve
        else "",
        "split.validation=0": "predicted classes are calibrated on a validation part" * (not config.split.validation),
        f"task={config.task}": "the study knows no samples without labels" if config.task is not None else "",
    }
    for what, why in refused.items():
        if why:
            raise ConfigError(
                f"{what} does not go with dataset.labels.on_unlabelled=pool: {why}; change it, or use on_unlabelled=skip"
            )


def _check_consensus(config: Config) -> None:
    """Refuse a consensus of encoders that would not see the same classes and the same split."""
    planner = config.completion
    if not planner.asks_encoders:
        return
    if config.labels.kind == "cross_modal":
        raise ConfigError(f"completion={planner.name} compares encoders of given labels; use labels=given")
    if config.regime.needs_features:
        raise ConfigError(
            f"completion={planner.name} needs one split for all encoders, but regime={config.regime.name} depends on the "
            "embeddings; use another regime"
        )
    if not planner.voters(config.encoder, config.probed):
        raise ConfigError(
            f"completion.encoders has no encoder of {config.probed} beside {config.encoder.name}; add one with "
            f"+encoder@completion.encoders.<name>=<encoder>"
        )


def _check_pairs(config: Config) -> None:
    """Refuse pairs without a second modality, and a joint plan without pairs or with a rule that sees one of them."""
    crossed = config.labels.kind == "cross_modal"
    if crossed and len(config.modalities) != 2:
        raise ConfigError(
            f"labels={config.labels.name} needs two modalities, but dataset={config.dataset.name} and "
            f"encoder={config.encoder.name} share {', '.join(config.modalities)}; choose an encoder of both"
        )
    if not config.completion.is_joint:
        return
    if not crossed:
        raise ConfigError(f"completion={config.completion.name} plans for pairs; use it with labels=cross_modal")
    if config.selection.name != "random":
        raise ConfigError(
            f"selection={config.selection.name} looks at one modality, but completion={config.completion.name} plans "
            "for both; use selection=random"
        )

"""Where the step functions come from, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from scar.config.build import build
from scar.config.nodes import ConfigError
from scar.data.catalogue import Catalogue
from scar.sampling.clusters import KMeans
from scar.sampling.step_functions import CrossModalLabels, LabelsConfig, given_steps

PAIRS = ["dataset=emoji_pairs", "encoder=lite0_minilm", "modality=image"]


@pytest.fixture(autouse=True)
def hydra():
    with initialize_config_module("scar.conf", version_base="1.3"):
        yield


def built(*overrides):
    return build(compose("config", list(overrides)))


def test_given_labels_are_those_of_the_dataset():
    catalogue = Catalogue(
        ids=np.array(["a", "b"]), labels=np.array([1, 0]), splits=np.array(["train", "test"]), class_names=("x", "y"),
        groups={}, notes=(),
    )  # fmt: skip
    steps = given_steps(catalogue)
    assert steps.labels.tolist() == [1, 0]
    assert steps.names == ("x", "y")
    with pytest.raises(ValueError, match="use labels=cross_modal"):
        given_steps(replace(catalogue, labels=None))


def test_the_labels_are_chosen_by_the_group():
    assert built(*PAIRS).labels == LabelsConfig()
    assert built(*PAIRS, "labels=cross_modal", "labels.k=10").labels == CrossModalLabels(k=10)
    assert CrossModalLabels(restarts=3, cosine=False).kmeans == KMeans(restarts=3, cosine=False)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["labels.kind=ordinal"], r"labels\.kind='ordinal' is unknown; use labels=given or labels=cross_modal"),
        (["labels=cross_modal", "labels.kind=given"], r"labels\.kind='given'"),
        (["labels=cross_modal", "labels.k=1"], r"labels\.k=1 must be at least 2, or null"),
        (["labels=cross_modal", "labels.k=many"], r"labels\.k"),
        (["labels=cross_modal", "labels.criterion=elbow"], r"labels\.criterion='elbow'.*silhouette, stability"),
        (["labels=cross_modal", "labels.candidates=[1,4]"], r"labels\.candidates=\[1, 4\]"),
        (["labels=cross_modal", "labels.restarts=0"], r"labels\.restarts=0"),
        (["labels=cross_modal", "labels.repeats=0"], r"labels\.repeats=0"),
        (["labels=cross_modal", "labels.words=-1"], r"labels\.words=-1"),
        (["completion=joint"], r"completion=joint plans for pairs; use it with labels=cross_modal"),
        (["labels=cross_modal", "completion=joint", "selection=k_center"], r"selection=k_center looks at one modality"),
    ],
)
def test_what_cannot_run_is_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        built(*PAIRS, *overrides)


def test_cross_modal_labels_need_an_encoder_of_both_modalities():
    with pytest.raises(ConfigError, match=r"labels=cross_modal needs two modalities, but .* share image"):
        built("dataset=emoji_pairs", "encoder=efficientnet_lite0", "labels=cross_modal")


def test_every_knob_of_the_clusters_changes_the_labels_artefact(tmp_path):
    from scar.job.algorithm import algorithm
    from scar.store.store import Store

    config = replace(built("dataset=digits"), labels=CrossModalLabels())
    keys = set()
    knobs = {"k": 7, "candidates": (3, 4), "criterion": "stability", "cosine": False, "restarts": 2, "iterations": 9}
    knobs |= {"tolerance": 0.1, "repeats": 3, "sample": 99, "words": 1, "seed": 5}
    for labels in (CrossModalLabels(), *(CrossModalLabels(**{name: value}) for name, value in knobs.items())):
        job = algorithm(replace(config, labels=labels), Store(tmp_path))
        keys.add(str(job.inputs.supervision.key))
    assert len(keys) == len(knobs) + 1

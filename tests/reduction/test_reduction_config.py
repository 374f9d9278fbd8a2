from dataclasses import fields, is_dataclass

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf, open_dict

from scar.config.build import build, job_digest
from scar.config.nodes import ConfigError
from scar.reduction.captioner_config import CaptionerConfig
from scar.reduction.settings import ReductionConfig


@pytest.fixture(autouse=True)
def hydra():
    with initialize_config_module("scar.conf", version_base="1.3"):
        yield


def composed(*overrides):
    return compose("config", ["dataset=digits", *overrides])


def test_without_a_reduction_nothing_of_a_job_changes_its_name():
    assert build(composed()).reduction is None
    assert "reduction" not in composed()
    other = composed()
    with open_dict(other):
        other.reduction = None
    assert job_digest(other) == job_digest(composed()) != job_digest(composed("reduction=small"))


def test_the_reduction_of_the_paper_has_its_sizes():
    config = build(composed("reduction=tldr")).reduction
    assert isinstance(config, ReductionConfig)
    assert config.captioner == CaptionerConfig()
    assert (config.captioner.codebook_size, config.captioner.tokens, config.captioner.width) == (3000, 196, 768)
    assert (config.share, config.clusters, config.keep, config.refine) == (0.25, 3000, "uniform", "concatenated")


def test_the_small_reduction_differs_from_that_of_the_paper_in_size_and_in_how_its_captioner_is_trained():
    small, whole = build(composed("reduction=small")).reduction, build(composed("reduction=tldr")).reduction
    assert (small.captioner.image_size, small.captioner.codebook_size, small.captioner.tokens) == (32, 256, 16)
    assert len(small.seeds) >= 3
    for name in ("share", "features", "keep", "refine", "pair_filter_share", "pair_threshold"):
        assert getattr(small, name) == getattr(whole, name)
    for name in ("codebook_init", "beta", "weight_decay", "decay_unit", "quantise_class_token"):
        assert getattr(small.captioner, name) == getattr(whole.captioner, name)
    trained = [
        (each.captioner.commitment, each.captioner.restart_dead, each.captioner.code_places) for each in (small, whole)
    ]
    assert trained == [("vqvae", 1, True), ("published", None, False)]
    assert [(each.decoding, each.pair_model.towers) for each in (small, whole)] == [
        ("nucleus", "locked"),
        ("beam", "clip"),
    ]


@pytest.mark.parametrize("option", ["small", "tldr"])
def test_the_configuration_names_every_field(option):
    def check(node, schema, where):
        assert {str(key) for key in node} == {f.name for f in fields(schema)}, where
        for each in fields(schema):
            if is_dataclass(each.default_factory):
                check(node[each.name], each.default_factory, f"{where}.{each.name}")

    check(composed(f"reduction={option}").reduction, ReductionConfig, "reduction")


def test_every_knob_of_a_reduction_does_something():
    base = composed("reduction=small")
    digest, changed = job_digest(base), 0
    config = build(base).reduction
    for path, value, runtime in leaves(config):
        other = different(path, value)
        if other is None or (path[-1] == "decoding"):  # greedy captions have no candidates
            continue
        node: dict = {path[-1]: other}
        for name in reversed(path[:-1]):
            node = {name: node}
        variant = OmegaConf.merge(base, {"reduction": node})
        build(variant)
        assert (job_digest(variant) == digest) == runtime, path
        changed += 1
    assert changed > 30


def leaves(config, path=()):
    for each in fields(config):
        value = getattr(config, each.name)
        if is_dataclass(value):
            yield from leaves(value, (*path, each.name))
        else:
            yield (*path, each.name), value, bool(each.metadata.get("runtime"))


def different(path, value):
    """Return another value that is allowed, or None where the type does not tell one."""
    special = {
        "clusters": 7, "pair_threshold": 0.1, "features": "text", "keep": "hard", "refine": "original", "heads": 4,
        "decoding": "greedy", "image_size": 64, "patch_size": 4, "width": 128, "precision": "bf16-mixed", "seeds": [3],
        "codebook_init": "xavier", "commitment": "published", "decay_unit": "linear", "keyword_phrases": "nltk",
        "restart_dead": 2, "accelerator": "cpu", "towers": "clip",
    }  # fmt: skip
    if path[-1] in special:
        return special[path[-1]]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return value * 0.7 + 1e-7 if isinstance(value, float) else None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("reduction.share=0", r"reduction\.share=0.* must be a share in \(0, 1\]"),
        ("reduction.share=nan", r"reduction\.share=nan"),
        ("reduction.keep=best", r"reduction\.keep='best' is unknown; use one of uniform, large_distance"),
        ("reduction.features=pixels", r"reduction\.features='pixels' is unknown.*bag_of_codes"),
        ("reduction.refine=both", r"reduction\.refine='both'.*concatenated"),
        ("reduction.decoding=sample", r"reduction\.decoding='sample'.*nucleus"),
        ("reduction.decoding=beam", r"reduction\.candidates=4 of decoding=beam would be the same; use nucleus"),
        ("reduction.match=1", r"reduction\.match=1.* must be a share in \[0, 1\)"),
        ("reduction.clusters=0", r"reduction\.clusters=0 must be at least 1, or null"),
        ("reduction.duplicate_threshold=2", r"reduction\.duplicate_threshold=2"),
        ("reduction.pair_filter_share=1", r"reduction\.pair_filter_share=1"),
        ("reduction.pair_filter_share=0.1 reduction.pair_threshold=0.2", r"both filter; set one of them"),
        ("reduction.seeds=[1,1]", r"reduction\.seeds=\[1, 1\] must be distinct"),
        ("reduction.seeds=[]", r"reduction\.seeds=\[\]"),
        ("+reduction.shares=0.2", r"reduction\.shares is unknown; did you mean reduction\.share\?"),
        ("+reduction.captioner.codes=3", r"reduction\.captioner\.codes.*"),
        ("reduction.captioner.codebook_size=1", r"reduction\.captioner\.codebook_size=1"),
        ("reduction.captioner.beta=much", r"reduction.*beta.*'?much'?"),
        ("reduction.pair_model.heads=3", r"reduction\.pair_model\.heads=3 must divide width=64"),
    ],
)
def test_a_reduction_that_cannot_be_done_is_refused_with_the_key_the_value_and_the_way_out(override, message):
    with pytest.raises(ConfigError, match=message):
        build(composed("reduction=small", *override.split(" ")))

"""What the commands read from a command line beside what Hydra reads."""

import re

import pytest
from hydra import compose, initialize_config_module
from hydra.errors import ConfigCompositionException

from scar.commands._arguments import prepared
from scar.commands.report import build as build_report
from scar.common.machine import chosen_accelerator
from scar.completion.budgets import BudgetsConfig
from scar.config.build import build
from scar.config.nodes import ConfigError
from scar.sweep.hydra_internals import packaged_configuration


def composed(*arguments, name="config"):
    with initialize_config_module("scar.conf", version_base="1.3"):
        return compose(name, prepared(arguments))


def test_the_version_is_ours(capsys):
    with pytest.raises(SystemExit) as end:
        prepared(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == "scar 0.1.0\n"


@pytest.mark.parametrize("arguments", [["-m", "--cfg", "job"], ["--multirun", "-c", "job"], ["--cfg=job", "-m"]])
def test_what_a_sweep_would_run_is_asked_for_job_by_job(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        prepared(arguments)
    assert end.value.code == 2
    assert "leave -m out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a=1", "-m", "b=2,3"], ["a=1", "b=2,3", "-m"]),
        (["-m", "a=1", "--config-dir", "mine", "~b", "c=1"], ["a=1", "~b", "c=1", "-m", "--config-dir", "mine"]),
        (["a=1", "--cfg", "job", "a=2"], ["a=1", "a=2", "--cfg", "job"]),
        (["--config-dir", "mine", "a=1", "-m"], ["--config-dir", "mine", "a=1", "-m"]),
        (["-m", "typo", "a=1"], ["-m", "typo", "a=1"]),
        (["a=1", "--config-dir", "/k=v", "b=2"], ["a=1", "b=2", "--config-dir", "/k=v"]),
        (["--help"], ["--help"]),
    ],
)
def test_options_may_stand_between_what_is_set(arguments, expected):
    assert prepared(arguments) == expected


@pytest.mark.parametrize(
    "argument",
    ["budgets.maximum.cat=3", "budgets.maximum={cat: 3}", "+budgets.maximum.cat=3", "++budgets.maximum.cat=3"],
)
def test_names_of_classes_need_no_plus(argument):
    assert build(composed("dataset=digits", argument)).budgets.maximum == {"cat": 3}


def test_other_keys_still_have_to_be_there():
    assert prepared(["budgets.maximums.cat=3", "where=x", "seed=1", "budgets=money"]) == [
        "budgets.maximums.cat=3", "where=x", "seed=1", "budgets=money"
    ]  # fmt: skip


def test_rows_are_chosen_without_a_plus():
    assert build_report(composed("where.encoder=pixels", "where.regime=natural", name="report")).where == {
        "encoder": "pixels", "regime": "natural"
    }  # fmt: skip


def test_one_study_or_several():
    with pytest.raises(ValueError, match=r"study=a beside studies=\['b'\]"):
        build_report(composed("study=a", "studies=[b]", name="report"))
    with pytest.raises(ValueError, match="studies='a': a list is needed"):
        build_report(composed("studies=a", name="report"))


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("subsets.factors=3", r"subsets\.factors=3: a list is needed"),
        ("subsets.factors=[1,2,2.5]", r"subsets\.factors\[2\]=2\.5"),
        ("budgets.maximum=10", r"budgets\.maximum=10: values by name are needed, e\.g\. budgets\.maximum\.NAME=1"),
    ],
)
def test_a_bad_value_is_named(argument, said):
    with pytest.raises(ConfigError, match=said):
        build(composed("dataset=digits", argument))


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("accelerator=gpu", "accelerator is unknown; did you mean trainer.accelerator=gpu?"),
        ("devices=2", "devices is unknown; did you mean trainer.devices=2?"),
        ("threads=[1,2]", "threads is unknown; did you mean trainer.threads=[1,2]?"),
        ("maximums.cat=3", "maximums.cat is unknown; there are study, "),
        ("costs.cat=3", "costs.cat is unknown; did you mean budgets.costs.cat=3?"),
        ("budget.driver=paper", "budget.driver is unknown; did you mean budgets.driver=paper?"),
        ("target=0.85", "target is unknown; did you mean rounds=… rounds.target=0.85?"),
        ("name=x", "name is unknown; it stands in a group: encoder.name=x, dataset.name=x, "),
        ("sead=1", "sead is unknown; did you mean seed=1?"),
        ("nowhere=1", "nowhere is unknown; there are study, "),
        ("seed.first=1", "seed.first is unknown: seed is one value"),
        ("budgets.cost.cat=2", "budgets.cost.cat is unknown: budgets.cost is one value"),
        ("trainer.device=2", "trainer.device is unknown; did you mean trainer.devices?; trainer has the keys name, "),
        ("budgets.cots.cat=2", "budgets.cots.cat is unknown; did you mean budgets.costs.cat?"),
    ],
)
def test_a_key_without_its_group_is_told_where_it_stands(argument, said):
    with packaged_configuration() as compose_job, pytest.raises(ConfigCompositionException) as end:
        compose_job("config", prepared(["dataset=digits", argument]))
    assert str(end.value).startswith(said)


AXES_OF_A_REPORT = (("seed=1", "where.seed=1"), ("regime=natural", "where.regime=natural"))


def test_a_key_of_a_report_is_told_where_it_stands():
    with packaged_configuration() as compose_job:
        for argument, said in (
            ("levl=0.9", "level=0.9"),
            ("accuracy=0.1", "tolerance.accuracy=0.1"),
            *AXES_OF_A_REPORT,
        ):
            with pytest.raises(ConfigCompositionException, match=re.escape(f"did you mean {said}?")):
                compose_job("report", [argument])


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("+devices=2", "did you mean trainer.devices?"),
        ("+sead=2", "did you mean seed?"),
        ("+nowhere=2", "unknown; allowed"),
        (
            "+where.encoder=pixels",
            "where is unknown; it chooses what a report shows: scar-report study=NAME where.AXIS=VALUE;",
        ),
    ],
)
def test_a_key_that_was_added_without_its_group_is_told_as_well(argument, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        build(composed("dataset=digits", argument))


def test_a_gpu_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert chosen_accelerator("auto") == "cpu"
    assert chosen_accelerator("cpu") == "cpu"
    with pytest.raises(ValueError, match=r"trainer\.accelerator=gpu.*use auto or cpu"):
        chosen_accelerator("gpu")


def test_prices_and_limits_come_from_a_file(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text('class,cost,maximum\n"a, b=c",2.5,10\ncat,,3\ndog,4,\n')
    budgets = build(composed("dataset=digits", f"budgets.costs_file={path}", "budgets.costs.dog=5")).budgets
    assert budgets.costs == {"a, b=c": 2.5, "dog": 5.0}
    assert budgets.maximum == {"a, b=c": 10, "cat": 3}
    assert budgets.costs_file is None
    assert budgets == BudgetsConfig(costs={"a, b=c": 2.5, "dog": 5.0}, maximum={"a, b=c": 10, "cat": 3})


@pytest.mark.parametrize(
    ("text", "said"),
    [("name,cost\na,1\n", "class and some of cost"), ("class,cost\na,much\n", "line 2: cost='much' is no number"),
     ("class,maximum\na,1\nb,2.5\n", "line 3: maximum='2.5' is no whole number"), ("class,cost\na,-1\n", "must be positive")],
)  # fmt: skip
def test_a_file_of_prices_that_cannot_be_read_is_named(tmp_path, text, said):
    path = tmp_path / "costs.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        build(composed("dataset=digits", f"budgets.costs_file={path}"))
    with pytest.raises(ConfigError, match="cannot be read"):
        build(composed("dataset=digits", f"budgets.costs_file={tmp_path}/none.csv"))

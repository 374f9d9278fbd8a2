"""The card of a dataset: Markdown and Croissant say the same, and Croissant validates."""

import json
import math

import pandas as pd
import pytest
from synthetic import write_study

from scar.reporting.comparison import compare
from scar.reporting.formats.card import make_cards, render_card
from scar.reporting.formats.croissant import render_croissant
from scar.reporting.settings import CardConfig
from scar.reporting.study_folder import load_study

ABOUT = CardConfig(description="Clothes.", license="MIT", url="https://example.org/clothes", cite_as="Nobody")


@pytest.fixture(scope="module")
def card(study):
    (card,) = make_cards(study, compare(study), ABOUT).values()
    return card


@pytest.fixture(scope="module")
def croissant(card, study_folder):
    """What mlcroissant makes of the JSON-LD; it refuses a file that is not valid."""
    mlcroissant = pytest.importorskip("mlcroissant")
    text = render_croissant(card, study_folder)
    (study_folder / "croissant.json").write_text(text)
    return mlcroissant.Dataset(jsonld=str(study_folder / "croissant.json"))


def test_croissant_validates_without_a_warning_about_its_content(croissant):
    assert not croissant.metadata.issues.errors
    warnings = " ".join(croissant.metadata.issues.warnings)
    assert not warnings or "datePublished" in warnings  # the planted jobs do not say when they ran


def test_every_table_comes_back_from_croissant_as_it_was(card, croissant):
    assert set(card.tables) >= {"sizes", "measures", "foundation", "classes"}
    for name, table in card.tables.items():
        if table.empty:
            continue
        found = pd.DataFrame(croissant.records(name))
        found = found.rename(columns=lambda column: str(column).partition("/")[2])
        assert len(found) == len(table)
        for column in table:
            for ours, theirs in zip(table[column], found[column], strict=True):
                theirs = theirs.decode() if isinstance(theirs, bytes) else theirs
                assert ours == theirs or (not math.isfinite(ours) and theirs != theirs)


def test_the_values_are_those_of_the_rows(card, study):
    rows = study.rows
    own = rows[(rows.metric == "coverage") & (rows.stage == "dataset") & (rows.estimator == "heldout")]
    shown = card.tables["measures"].set_index(["estimator", "measure"])
    assert shown.loc[("heldout", "coverage"), "value"] == pytest.approx(own.value.mean())
    sizes = card.tables["sizes"].set_index("part").samples
    assert sizes["total"] == rows[rows.metric == "n_total"].value.mean()
    classes = card.tables["classes"]
    added = rows[(rows.metric == "added") & (rows.subject == "scar") & (rows.fraction == 0.25) & (rows.seed == 0)]
    assert classes.added.sum() == added.value.sum()


def test_markdown_holds_every_class_the_plan_the_caveats_and_how_it_was_made(card):
    text = render_card(card)
    for name in card.tables["classes"]["class"]:
        assert f"| {name} |" in text
    for sentence in (
        *card.answers.additions,
        *(caveat.what for caveat in card.caveats),
        *card.commands,
        "Clothes.",
        "License: MIT.",
        "torch 2.9.0",
    ):
        assert sentence in text
    assert "Seeds: 0, 1, 2." in text
    assert "{{" not in text
    assert "nan" not in text


def test_json_holds_no_number_that_json_lacks(card, study_folder):
    text = render_croissant(card, study_folder)
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert document["license"] == "MIT"
    assert document["rai:dataLimitations"] == [caveat.what for caveat in card.caveats]
    assert "creator" not in document


def test_plan_files_are_named_relative_to_the_card_with_their_checksum(card, study_folder):
    files = json.loads(render_croissant(card, study_folder))["distribution"]
    assert len(files) == len(card.plans) > 0
    for each in files:
        assert (study_folder / each["contentUrl"]).is_file()
        assert len(each["sha256"]) == 64


def test_nothing_is_invented_where_the_owner_says_nothing(study, study_folder):
    (card,) = make_cards(study, compare(study)).values()
    document = json.loads(render_croissant(card, study_folder))
    assert not {"license", "url", "citeAs"} & document.keys()
    assert "License" not in render_card(card)


def test_each_group_has_a_card_of_its_own(tmp_path):
    groups = [("digits", "pixels", "image", "natural"), ("digits", "pixels", "image", "long_tailed")]
    study = load_study(write_study(tmp_path / "two", seeds=1, groups=groups))
    cards = make_cards(study, compare(study))
    assert set(cards) == {"_digits_pixels_image_natural_natural", "_digits_pixels_image_long_tailed_same"}
    assert cards["_digits_pixels_image_natural_natural"].title == "Digits · pixels"

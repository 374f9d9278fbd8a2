from dataclasses import fields

import pytest

from scar.foundation.estimators import BY_NAME, make_estimators
from scar.foundation.settings import ESTIMATORS, FoundationConfig

OTHER = FoundationConfig(
    epsilon=0.02, delta=0.03, level=0.9, order=1, bins=50, error="binary", set_gap="every", accuracy_target=0.8, rate=1e-3,
    prior=False, seed=7,
)  # fmt: skip


def test_every_name_of_the_settings_has_an_estimator():
    assert tuple(BY_NAME) == tuple(ESTIMATORS)
    assert tuple(make_estimators(FoundationConfig(estimators=("heldout", "paper")))) == ("heldout", "paper")


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_takes_every_setting_that_it_has(name):
    made = BY_NAME[name].configured(OTHER)
    shared = {f.name for f in fields(made) if f.init} & {f.name for f in fields(FoundationConfig)}
    assert {each: getattr(made, each) for each in shared} == {each: getattr(OTHER, each) for each in shared}

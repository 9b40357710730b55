"""What the name of a run follows from, and what it does not."""

from dataclasses import replace

import pytest

from circuitvar.audit.runs.design import RunKey
from circuitvar.audit.runs.measure import design_context, with_code
from circuitvar.audit.settings import Settings
from circuitvar.tasks.catalog import get_task

IOI = get_task("ioi")
BASE = Settings()
SCORED = {
    "method": "eap", "metric": "kl", "corruption": "s2-io-swap", "ablation": "zero", "steps": 7,
    "n": 16, "seed": 3, "noise_roles": ("S2",),
}  # fmt: skip
JUDGED = {
    "heldout": 8, "bootstrap": 20, "pairs": 4, "exact": 0, "random": 12, "fresh": 0, "size": 9,
    "confidence": 0.9, "signed": True, "other_methods": (), "noise": (1.0,),
    "corruptions": ("all",), "ablations": ("mean",),
}  # fmt: skip


def test_every_setting_is_one_or_the_other():
    assert SCORED.keys() | JUDGED.keys() == BASE.as_dict().keys()


@pytest.mark.parametrize("name", SCORED)
def test_what_scores_follow_from_is_in_the_name(pocket, name):
    other = replace(BASE, **{name: SCORED[name]})
    assert design_context(IOI, pocket, other) != design_context(IOI, pocket, BASE)


@pytest.mark.parametrize("name", JUDGED)
def test_what_only_statistics_follow_from_is_not(pocket, name):
    other = replace(BASE, **{name: JUDGED[name]})
    assert design_context(IOI, pocket, other) == design_context(IOI, pocket, BASE)


def test_the_type_of_the_device_is_in_the_name_and_its_number_is_not(pocket):
    def context(device):
        return design_context(IOI, replace(pocket, device=device), BASE)

    assert context("cuda:0") == context("cuda:1") != context("cpu")


def test_a_finder_follows_from_the_size_it_is_asked_for():
    keys = (RunKey((("finder", "acdc"),)), RunKey((("method", "eap"),)))
    small, large = (with_code(keys, replace(BASE, size=size)) for size in (5, 6))
    assert small[0] != large[0] and small[1] == large[1]

"""Fixtures that many tests share: the pocket model and a scored batch, made once per worker."""

import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

import tests.shape_check  # noqa: F401 - the hook looks it up by name

install_import_hook("circuitvar", "tests.shape_check.checked")

# Deterministic property tests: a failure here fails on every machine.
settings.register_profile("circuitvar", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("circuitvar")


@pytest.fixture(scope="session")
def pocket():
    """Pocket model, training seed 0."""
    from circuitvar.circuits.loading.load import load_model

    return load_model("pocket:0")


@pytest.fixture(scope="session")
def ioi_pairs():
    """Forty indirect-object prompts."""
    from circuitvar.tasks.catalog import get_task

    return get_task("ioi").sample(40, rng=np.random.default_rng(0))


@pytest.fixture(scope="session")
def ioi_batch(pocket, ioi_pairs):
    from circuitvar.tasks.tokens.tokens import tokenize

    return tokenize(ioi_pairs, pocket.tokenizer).batch


@pytest.fixture(scope="session")
def ioi_scores(pocket, ioi_batch):
    """EAP-IG scores of the forty prompts, `[example, edge]`."""
    from circuitvar.circuits.methods.catalog import get_method
    from circuitvar.circuits.scores.score import score_edges
    from circuitvar.tasks.tokens.metrics import get_metric

    return score_edges(
        pocket, ioi_batch, get_method("eap-ig-inputs"), metric=get_metric("logit_diff")
    )

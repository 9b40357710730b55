"""Score a model with your own attribution method: a plain function."""

import numpy as np

from circuitvar.audit.indices import auroc
from circuitvar.circuits.loading import load_model
from circuitvar.circuits.methods.gradient import eap
from circuitvar.circuits.methods.patching import exact
from circuitvar.circuits.scores import score_edges
from circuitvar.circuits.types import Method
from circuitvar.tasks.planted import get_planted
from circuitvar.tasks.tokens import get_metric, tokenize


def eap_both_ways(model, batch, *, metric, options):
    """EAP where half the gradient could flow: the mean of EAP and the exact effect."""
    values = eap(model, batch, metric=metric, options=options)
    return (values + exact(model, batch, metric=metric, options=options)) / 2


model, planted = load_model("planted:induction"), get_planted("induction")
pairs = planted.task.sample(32, rng=np.random.default_rng(0))
batch = tokenize(pairs, model.tokenizer).batch
truth = np.isin(model.graph.edge_names, sorted(planted.task.known_edges))
for function in (eap, eap_both_ways):
    method = Method(function.__name__, function.__name__, function, "this file")
    scores = score_edges(model, batch, method, metric=get_metric("logit_diff"))
    print(f"{method.key}: AUROC of the true circuit {auroc(np.abs(scores.mean), truth):.3f}")

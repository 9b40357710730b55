"""Score a model with your own attribution method: a plain function."""

import numpy as np

import circuitvar as cv
from circuitvar.tasks.planted import get_planted


def eap_both_ways(model, batch, *, metric, options):
    """EAP where half the gradient could flow: the mean of EAP and the exact effect."""
    values = cv.methods.eap(model, batch, metric=metric, options=options).values
    return (values + cv.methods.exact(model, batch, metric=metric, options=options)) / 2


model, planted = cv.load_model("planted:induction"), get_planted("induction")
pairs = planted.task.sample(32, rng=np.random.default_rng(0))
batch = cv.tokenize(pairs, model.tokenizer).batch
truth = np.isin(model.graph.edge_names, sorted(planted.task.known_edges))
for function in (cv.methods.eap, eap_both_ways):
    method = cv.Method(function.__name__, function.__name__, function, "this file")
    scores = cv.score_edges(model, batch, method, metric=cv.get_metric("logit_diff"))
    print(
        f"{method.key}: AUROC of the true circuit {cv.stats.auroc(np.abs(scores.mean), truth):.3f}"
    )

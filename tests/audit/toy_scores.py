"""Planted score matrices with a known truth, shared by the tests of the audit."""

import numpy as np


def planted(rng, *, n=60, edges=80, size=10, gap=2.0, templates=0, icc=0.5):
    """Scores [example, edge]: `size` edges with mean `gap`, unit noise, templates if asked."""
    mean = np.where(np.arange(edges) < size, gap, 0.0)
    scores = mean + rng.normal(size=(n, edges))
    if templates:
        label = np.arange(n) % templates
        scores += np.sqrt(icc / (1 - icc)) * rng.normal(size=(templates, edges))[label]
        return scores, label
    return scores


def loop_sets(scores, weights, size):
    """The slow obvious version of `replicate_sets`: one replicate at a time, python sort."""
    masks = np.zeros((len(weights), scores.shape[1]), dtype=bool)
    for row, weight in zip(masks, weights, strict=True):
        value = np.abs((weight[:, None].astype(np.float64) * scores).sum(axis=0))
        order = sorted(range(len(value)), key=lambda e: (-value[e], e))
        row[order[:size]] = True
    return masks

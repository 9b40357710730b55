"""The sampling unit of a data set, template or prompt: decided here and nowhere else.

Prompts made from one template are not independent, so the template is the unit wherever there are
enough of them to say anything about other wordings.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

Clusters = Sequence[object] | np.ndarray | None
"""Cluster id per example; None where every example is its own."""
LEAST_TEMPLATES = 4
"""Fewer templates than this are too few for a t interval; prompts are then the unit, and nothing
is said about other wordings."""


def unit_of_example(n: int, clusters: Clusters = None) -> Int[np.ndarray, " example"]:
    """Unit number of each example: its own, or that of its cluster in order of first appearance.

    >>> unit_of_example(4, ["b", "a", "b", "c"])
    array([0, 1, 0, 2])
    """
    if n < 1:
        raise ValueError(f"{n} examples cannot be resampled; pass at least 1")
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} cluster ids for {n} examples; give one per example")
    seen: dict[object, int] = {}
    return np.array([seen.setdefault(cluster, len(seen)) for cluster in clusters])


def use_templates(templates: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The templates as clusters where there are enough of them, else None."""
    many = templates is not None and len(set(templates)) >= LEAST_TEMPLATES
    return templates if many else None


def sampling_units(
    n: int, templates: tuple[str, ...] | None
) -> tuple[Int[np.ndarray, " example"], str]:
    """Unit number of each example and what a unit is: `template` or `prompt`.

    >>> sampling_units(3, ("x", "x", "y"))[1]
    'prompt'
    """
    clusters = use_templates(templates)
    return unit_of_example(n, clusters), "prompt" if clusters is None else "template"

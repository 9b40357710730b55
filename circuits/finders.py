"""Finders: discovery procedures that return a circuit, not a mean of per-example scores.

They are re-run for every perturbation. A user's own procedure is one more record in the tuple.
"""

import difflib

from circuitvar.circuits.acdc import find_acdc
from circuitvar.circuits.edge_pruning import find_by_edge_pruning
from circuitvar.circuits.mask_gradient import find_by_mask_gradient
from circuitvar.circuits.types import Finder

FINDERS: tuple[Finder, ...] = (
    Finder("acdc", "ACDC", find_acdc, "Conmy et al. 2023, arXiv 2304.14997"),
    Finder(
        "edge-pruning",
        "Edge pruning",
        find_by_edge_pruning,
        "Bhaskar et al. 2024, arXiv 2406.16778",
    ),
    Finder(
        "mask-gradient",
        "Integrated mask gradient",
        find_by_mask_gradient,
        "Miller et al. 2024, arXiv 2407.08734",
    ),
)


def get_finder(key: str, finders: tuple[Finder, ...] = FINDERS) -> Finder:
    """The finder called `key`.

    >>> get_finder("acdc").title
    'ACDC'

    Raises
    ------
    ValueError
        No finder has this key.
    """
    for finder in finders:
        if finder.key == key:
            return finder
    known = [finder.key for finder in finders]
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"unknown finder {key!r}: choose one of {', '.join(known)}{hint}")

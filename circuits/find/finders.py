"""Finders: discovery procedures that return a circuit, not a mean of per-example scores.

They are re-run for every perturbation. A user's own procedure is one more record in the tuple.
"""

from circuitvar.circuits.find.acdc import find_acdc
from circuitvar.circuits.find.edge_pruning import find_by_edge_pruning
from circuitvar.circuits.find.mask_gradient import find_by_mask_gradient
from circuitvar.circuits.types import Finder
from circuitvar.tasks.lookup import by_key, load_object, title_of

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
        needs_gradient=True,
    ),
)


def get_finder(key: str, finders: tuple[Finder, ...] = FINDERS) -> Finder:
    """The finder called `key`, or the user's own as `module:attribute`.

    The attribute is a `Finder` or a plain function with the signature of `FinderFn`. Importing the
    module runs the user's code: only do so for code you trust.

    >>> get_finder("acdc").title
    'ACDC'

    Raises
    ------
    ValueError
        No finder has this key, or the user's own cannot be imported.
    """
    if ":" not in key:
        also = ", or your own function as module:attribute"
        return by_key("finder", key, finders, also=also)
    found = load_object("finder", key, Finder)
    if isinstance(found, Finder):
        return found
    return Finder(key, title_of("finder", key, found), found, "user")

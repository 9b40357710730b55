"""Finders: discovery procedures that return a circuit, not a mean of per-example scores.

They are re-run for every perturbation. A user's own procedure is one more record in the tuple.
"""

import difflib
import importlib
import sys
from pathlib import Path
from typing import Any

from circuitvar.circuits.find.acdc import find_acdc
from circuitvar.circuits.find.edge_pruning import find_by_edge_pruning
from circuitvar.circuits.find.mask_gradient import find_by_mask_gradient
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
    for finder in finders:
        if finder.key == key:
            return finder
    if ":" in key:
        return _user_finder(key)
    known = [finder.key for finder in finders]
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ValueError(
        f"unknown finder {key!r}: choose one of {', '.join(known)}, or your own function as "
        f"module:attribute{hint}"
    )


def _user_finder(key: str) -> Finder:
    module, _, attribute = key.partition(":")
    here = str(Path.cwd())
    added = here not in sys.path
    if added:  # a console script does not look into the working directory by itself
        sys.path.insert(0, here)
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"finder {key!r} could not be imported: {error}") from None
    finally:
        if added:
            sys.path.remove(here)
    if isinstance(found, Finder):
        return found
    if not callable(found):
        raise ValueError(f"finder {key!r} is a {type(found).__name__}; it must be a function.")
    title = (found.__doc__ or attribute).strip().splitlines()[0]
    function: Any = found
    return Finder(key, title, function, "user")

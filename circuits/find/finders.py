"""Finders: discovery procedures that return a circuit, not a mean of per-example scores.

They are re-run for every perturbation. A user's own procedure is one more record in the tuple.
"""

from typing import TYPE_CHECKING

import numpy as np

from circuitvar.circuits.code_digest import code_digest
from circuitvar.circuits.find.acdc import find_acdc
from circuitvar.circuits.find.edge_pruning import find_by_edge_pruning
from circuitvar.circuits.find.mask_gradient import find_by_mask_gradient
from circuitvar.circuits.kept import batch_digest, kept
from circuitvar.circuits.types import Circuit, Finder
from circuitvar.tasks.lookup import by_key, load_object, title_of

if TYPE_CHECKING:
    from circuitvar.circuits.model import Model
    from circuitvar.tasks.types import Batch, Metric

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


def run_finder(
    finder: Finder, model: "Model", batch: "Batch", *, metric: "Metric", size: int, seed: int
) -> Circuit:
    """The circuit that a finder finds, from the model's store where it is there.

    Raises
    ------
    ValueError
        The finder returned a circuit of another graph.
    """
    graph = model.graph

    def find() -> dict[str, np.ndarray]:
        found = finder.fn(model, batch, metric=metric, size=size, seed=seed)
        if found.graph != graph:
            raise ValueError(
                f"finder {finder.key!r} returned a circuit of a graph with {found.graph.n_edges} "
                f"edges; the model has {graph.n_edges}"
            )
        counts = np.array([found.requested, found.selected])
        rule = np.frombuffer(found.rule.encode(), dtype=np.uint8)
        return {"kept": np.asarray(found.kept, dtype=bool), "counts": counts, "rule": rule}

    code = [finder.key, code_digest(finder.fn)], [metric.key, code_digest(metric.fn)]
    asked = {"finder": code[0], "metric": code[1], "size": size, "seed": seed}
    arrays = kept(model, {**asked, "data": batch_digest(batch)}, find)
    requested, selected = (int(n) for n in arrays["counts"])
    return Circuit(graph, arrays["kept"], arrays["rule"].tobytes().decode(), requested, selected)

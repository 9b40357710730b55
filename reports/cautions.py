"""What a reader must know before any number: ties at the cut, and a circuit without edges."""

from collections.abc import Sequence

from circuitvar.audit.claims import EMPTY
from circuitvar.audit.types import Audit


def cautions(audit: Audit) -> list[str]:
    """One sentence per caution of an audit; empty where there is none."""
    size = None
    if "in_circuit" in audit.edges:
        size = int(audit.edges["in_circuit"].to_numpy(dtype=bool).sum())
    return caution_sentences([(axis.title, axis.tied) for axis in audit.axes], size)


def caution_sentences(tied: Sequence[tuple[str, int]], in_circuit: int | None) -> list[str]:
    """Cautions from the edges that tie at the cut of every axis, and the edges of the circuit.

    >>> caution_sentences([("Fresh data sets", 0)], 0)
    ['The circuit has no edges: those that were chosen form no complete path.']
    """
    found, titles = [], [title for title, edges in tied if edges]
    if in_circuit == 0:
        found.append(EMPTY)
    if titles:
        edges = max(edges for _, edges in tied)
        where = "every perturbation" if len(titles) == len(tied) else "; ".join(titles)
        found.append(
            f"{edges} edges tie at the cut and their order in the graph decides which are kept, so "
            f"agreement says nothing about stability. Perturbations: {where}."
        )
    return found

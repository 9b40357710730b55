"""What a reader must know before any number: ties, an empty circuit, too few templates."""

from collections.abc import Sequence

from circuitvar.audit.single import EMPTY, KEEPS_NOISE
from circuitvar.audit.types import Audit
from circuitvar.reports.tables import show
from circuitvar.tasks.units import LEAST_TEMPLATES


def cautions(audit: Audit) -> list[str]:
    """One sentence per caution of an audit; empty where there is none."""
    size = None
    if "in_circuit" in audit.edges:
        size = int(audit.edges["in_circuit"].to_numpy(dtype=bool).sum())
    found = caution_sentences([(axis.title, axis.tied) for axis in audit.axes], size)
    if said := audit.provenance.get("prompts_read"):
        found.append(f"Prompts: {said}.")
    templates = audit.provenance.get("n_templates")
    if isinstance(templates, int) and 1 < templates < LEAST_TEMPLATES:
        found.append(
            f"With {templates} templates the unit is the prompt: standard errors and tests hold "
            "for other prompts of these templates and not for other wordings, which takes "
            f"{LEAST_TEMPLATES} templates."
        )
    return found


def null_sentence(audit: Audit) -> str:
    """How much agreement the noise of the scores reaches alone, beside what the data reach."""
    nulls = audit.tables.get("nulls")
    rows = [] if nulls is None else nulls.to_dict("records")
    rows = [row for row in rows if row["kind"] == KEEPS_NOISE]
    if not rows:
        return ""
    row = max(rows, key=lambda row: row["expected"])
    return (
        "Halves of data with the noise of every edge and without any effect would agree to φ = "
        f"{show(row['expected'])}; the same halves of the data agree to {show(row['observed'])} "
        f"(p = {show(row['p'])})."
    )


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

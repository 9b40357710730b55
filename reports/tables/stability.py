"""Table 1 of a report: stability of the circuit, one row per perturbation, and its caption."""

from circuitvar.audit.types import Audit
from circuitvar.reports.tables.frames import fact, prompt_counts, stability_frame
from circuitvar.reports.tables.text import Column, to_latex, to_markdown

STABILITY_COLUMNS: tuple[Column, ...] = (
    Column("perturbation", "Perturbation"),
    Column("unit", "Unit"),
    Column("runs", "Runs", "number", digits=0),
    Column("phi", "φ", "number", se="phi_se"),
    Column("phi", "interval", "interval", se="phi_se"),
    Column("jaccard", "Jaccard", "number", se="jaccard_se"),
    Column("jaccard_cv", "CV", "number", digits=2),
    Column("chance", "Chance", "number"),
    Column("size_mean", "Size", "number", digits=0),
    Column("core", "Core", "number", digits=0),
    Column("union", "Union", "number", digits=0),
)


def sentence_list(items: list[str]) -> str:
    """Words joined as English does.

    >>> sentence_list(["a", "b", "c"])
    'a, b and c'
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def stability_caption(audit: Audit) -> str:
    """What was fixed, what varied, what was resampled, and which intervals are shown."""
    names = ("model", "task", "method", "metric", "rule", "ablation", "seed")
    known = {name: fact(audit.provenance, name) for name in names}
    fixed = [str(known[key]) for key in names[:5] if known[key] is not None]
    fixed += [f"{known['ablation']} ablation"] if known["ablation"] else []
    fixed += [f"seed {known['seed']}"] if known["seed"] is not None else []
    parts = [f"Stability of the circuit ({audit.title})."]
    if fixed:
        parts.append(f"Held fixed except where varied: {', '.join(fixed)}.")
    n, origin = prompt_counts(audit)
    if n is not None:
        parts.append(f"Prompts: {n}{origin}.")
    varied = [f"{axis.title.lower()} ({axis.unit})" for axis in audit.axes]
    if varied:
        parts.append(f"Varied, one at a time: {sentence_list(varied)}.")
    methods = list(dict.fromkeys(axis.phi.interval for axis in audit.axes if axis.phi.interval))
    levels = sorted({f"{axis.phi.level:.0%}" for axis in audit.axes})
    if methods:
        parts.append(f"{sentence_list(levels)} intervals of φ: {'; '.join(methods)}.")
    parts.append(
        "Chance is the expected Jaccard of random edge sets of the observed sizes; core edges are "
        "kept in at least 90% of runs, the union in at least one. Intervals are not adjusted for "
        "the number of rows. Shown digits follow the standard errors."
    )
    return " ".join(parts)


def stability_latex(audit: Audit) -> str:
    """Table 1 as LaTeX (booktabs, siunitx)."""
    frame, caption = stability_frame(audit), stability_caption(audit)
    return to_latex(frame, STABILITY_COLUMNS, caption=caption, label="tab:stability")


def stability_markdown(audit: Audit) -> str:
    """Table 1 as Markdown."""
    return to_markdown(stability_frame(audit), STABILITY_COLUMNS, caption=stability_caption(audit))

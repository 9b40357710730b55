"""The methods paragraph of an audit, ready to paste, and the works it cites.

Every clause comes from the audit's own records; what is not recorded is not claimed.
"""

import re
from functools import cache
from pathlib import Path

from circuitvar.audit.types import Audit, Axis
from circuitvar.reports.tables import fact, prompt_counts, sentence_list

REFERENCES = Path(__file__).with_name("references.bib")
METHOD_KEYS = {"eap-ig": "hanna2024", "eap": "syed2023", "exact": "conmy2023", "acdc": "conmy2023"}
"""Start of a method key -> citation; the first match counts."""
TASK_KEYS = {"ioi": "wang2022", "greater": "hanna2023"}


def methods_paragraph(audit: Audit) -> tuple[str, list[str]]:
    """(text with citation keys in square brackets, those keys in order of use)."""
    sentences = [
        _estimate_sentence(audit),
        _data_sentence(audit),
        *(_axis_sentence(axis) for axis in audit.axes),
        "Agreement is the index φ of [nogueira2018], which is 1 for identical edge sets and has "
        "expectation 0 for random ones; mean pairwise Jaccard is given with the value expected of "
        "random edge sets of the same sizes."
        if audit.axes
        else "",
        "Edges kept in at least 90% of runs are called core, in less than 10% noise, and "
        "contingent between.",
        _verdict_sentence(audit),
        _software_sentence(audit),
    ]
    text = " ".join(sentence for sentence in sentences if sentence)
    cited = [key for key in re.findall(r"\[(\w+)\]", text) if key in references()]
    return text, list(dict.fromkeys(cited))


@cache
def references() -> dict[str, str]:
    """BibTeX entries by key."""
    entries = REFERENCES.read_text(encoding="utf-8").strip().split("\n\n")
    return {entry.partition("{")[2].partition(",")[0]: entry for entry in entries}


def bibtex(keys: list[str]) -> str:
    """The entries of `keys`, each once, in the order given."""
    return "\n\n".join(references()[key] for key in dict.fromkeys(keys))


def _cited(name: object, keys: dict[str, str]) -> str:
    """A name and, in brackets, the citation of the first of `keys` that it starts with."""
    found = next((keys[start] for start in keys if str(name).lower().startswith(start)), "")
    return f"{name} [{found}]" if found else str(name)


def _estimate_sentence(audit: Audit) -> str:
    known = {key: fact(audit.provenance, key) for key in ("model", "task", "method", "metric")}
    ablation, rule = (fact(audit.provenance, key) for key in ("ablation", "rule"))
    text = "We audited a circuit as a statistical estimate [meloux2025]."
    if known["method"] is None:
        return text
    text += f" Edges were scored with {_cited(known['method'], METHOD_KEYS)}"
    text += f" on {_cited(known['task'], TASK_KEYS)}" if known["task"] is not None else ""
    text += f" in {known['model']}" if known["model"] is not None else ""
    text += f", by their effect on {known['metric']}" if known["metric"] is not None else ""
    text += f" under {ablation} ablation" if ablation else ""
    text += f"; the circuit is {rule}" if rule else ""
    return text + "."


def _data_sentence(audit: Audit) -> str:
    n, origin = prompt_counts(audit)
    return "" if n is None else f"Scores rest on {n} prompts{origin}."


def _axis_sentence(axis: Axis) -> str:
    cite = " [efron1979]" if "bootstrap" in axis.key else ""
    text = f"{axis.title}{cite}: {axis.runs} runs, unit {axis.unit}"
    if axis.phi.interval:
        text += f", {axis.phi.level:.0%} interval by {axis.phi.interval}"
    return f"{text}." + (f" {axis.note.rstrip('.')}." if axis.note else "")


def _verdict_sentence(audit: Audit) -> str:
    bars = list(dict.fromkeys(verdict.bar for verdict in audit.verdicts))
    if not bars:
        return ""
    return (
        "A claim passes when its whole interval lies beyond its bar, fails when all of it falls "
        f"short, and is undecided otherwise; the bars were {sentence_list(bars)}."
    )


def _software_sentence(audit: Audit) -> str:
    versions = audit.provenance.get("versions")
    version = versions.get("circuitvar", "") if isinstance(versions, dict) else ""
    seed = fact(audit.provenance, "seed")
    text = f"Computed with circuitvar{f' {version}' if version else ''} [circuitvar]"
    return text + (f", random seed {seed}." if seed is not None else ".")

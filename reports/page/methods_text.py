"""The methods paragraph of an audit, ready to paste, and the works it cites.

Every clause comes from the audit's own records; what is not recorded is not claimed.
"""

from circuitvar.audit.types import Audit, Axis
from circuitvar.reports.page.bibliography import METHOD_KEYS, TASK_KEYS, cite_for
from circuitvar.reports.tables import fact, sentence_list


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
    return text, _citations(text)


def _citations(text: str) -> list[str]:
    from circuitvar.reports.page.bibliography import ENTRIES

    found = [(text.index(f"[{key}]"), key) for key in ENTRIES if f"[{key}]" in text]
    return [key for _, key in sorted(found)]


def _bracket(key: str) -> str:
    return f" [{key}]" if key else ""


def _estimate_sentence(audit: Audit) -> str:
    known = {key: fact(audit.provenance, key) for key in ("model", "task", "method", "metric")}
    ablation, rule = (fact(audit.provenance, key) for key in ("ablation", "rule"))
    text = "We audited a circuit as a statistical estimate [meloux2025]."
    if known["method"] is None:
        return text
    method = f"{known['method']}{_bracket(cite_for(str(known['method']), METHOD_KEYS))}"
    text += f" Edges were scored with {method}"
    if known["task"] is not None:
        text += f" on {known['task']}{_bracket(cite_for(str(known['task']), TASK_KEYS))}"
    text += f" in {known['model']}" if known["model"] is not None else ""
    text += f", by their effect on {known['metric']}" if known["metric"] is not None else ""
    text += f" under {ablation} ablation" if ablation else ""
    text += f"; the circuit is {rule}" if rule else ""
    return text + "."


def _data_sentence(audit: Audit) -> str:
    n, templates = (fact(audit.provenance, key) for key in ("n_examples", "n_templates"))
    n = fact(audit.provenance, "n") if n is None else n
    if n is None:
        return ""
    return f"Scores rest on {n} prompts{f' from {templates} templates' if templates else ''}."


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

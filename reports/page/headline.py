"""What an audit found, in plain sentences: the first thing a reader sees."""

from circuitvar.audit.types import Audit, Verdict
from circuitvar.reports.card import cautions, null_sentence, overall_outcome
from circuitvar.reports.tables import sentence_list, show, show_interval

_SAID = {
    "pass": ("passes", "pass"),
    "fail": ("fails", "fail"),
    "undecided": ("is undecided", "are undecided"),
    "no compression": ("is no compression", "are no compression"),
}


def verdict_tally(audit: Audit) -> str:
    """`Of 3 claims, 1 passes and 2 are undecided.`; empty when there are no verdicts."""
    outcomes = [outcome for _, outcome, _ in verdicts_by_claim(audit)]
    parts = [
        f"{outcomes.count(name)} {_SAID[name][outcomes.count(name) > 1]}"
        for name in _SAID
        if name in outcomes
    ]
    claims = "claim" if len(outcomes) == 1 else "claims"
    return f"Of {len(outcomes)} {claims}, {sentence_list(parts)}." if parts else ""


def verdicts_by_claim(audit: Audit) -> list[tuple[str, str, list[Verdict]]]:
    """(claim, its outcome, its verdicts): a claim is as good as its worst verdict."""
    claims: dict[str, list[Verdict]] = {}
    for verdict in audit.verdicts:
        claims.setdefault(verdict.claim, []).append(verdict)
    return [
        (claim, overall_outcome([verdict.outcome for verdict in found]), found)
        for claim, found in claims.items()
    ]


def headline_sentences(audit: Audit) -> list[str]:
    """The tally, cautions, the agreement on the first axis, and the weakest axis."""
    sentences = [verdict_tally(audit)] if audit.verdicts else []
    sentences += [f"Caution: {text}" for text in cautions(audit)]
    if not audit.axes:
        return sentences
    first = audit.axes[0]
    interval = show_interval(first.phi)
    sentences.append(
        f"{first.title}: φ = {show(first.phi.value, first.phi.se)}"
        f"{f' {interval}' if interval != '–' else ''}, mean Jaccard "
        f"{show(first.jaccard.value, first.jaccard.se)} where random circuits of the same sizes "
        f"would reach {show(first.chance)}."
    )
    sentences += filter(None, [null_sentence(audit)])
    known = [axis for axis in audit.axes if axis.phi.value == axis.phi.value]
    weakest = min(known, key=lambda axis: axis.phi.value, default=first)
    if weakest is not first:
        sentences.append(
            f"Agreement is lowest under {weakest.title[:1].lower()}{weakest.title[1:]} "
            f"(φ = {show(weakest.phi.value, weakest.phi.se)})."
        )
    return sentences

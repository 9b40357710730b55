"""The claims an audit judges, each from numbers that stand beside it in the report."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from circuitvar.audit.agreement import LOST
from circuitvar.audit.function import KEPT_ACROSS_TEMPLATES, NULL
from circuitvar.audit.types import Axis, Estimate, Verdict
from circuitvar.audit.verdicts import (
    UNTIE,
    Bars,
    agreement_verdict,
    function_verdict,
    judge,
    random_verdict,
    reading_verdict,
    source_verdict,
    stability_verdicts,
    structure_verdict,
    tied_reason,
)

EMPTY = "The circuit has no edges: those that were chosen form no complete path."
"""Why nothing is decided about an empty circuit."""
LARGER = "a larger size"


def claims(
    axes: tuple[Axis, ...],
    estimates: tuple[Estimate, ...],
    *,
    random: Float[np.ndarray, " draw"],
    own: float,
    method: str,
    bars: Bars,
    level: float,
    size: int | None = None,
) -> tuple[Verdict, ...]:
    """Verdicts in the order a reader asks: stable? faithful? better than random? exact?

    `random` is the faithfulness of random circuits and `own` that of the circuit on the same
    prompts; `size` its edges, without which nothing is decided but the agreement of methods. Only
    numbers that a report shows go in, so that a reader can judge again.
    """
    found = {estimate.name: estimate for estimate in estimates}
    stability = {axis.key: stability_verdicts(axis, bars=bars) for axis in axes}
    verdicts = [
        judge(
            "The circuit reproduces the behaviour on held-out prompts",
            found["faithfulness"],
            bars.faithfulness,
            bar_text=f"faithfulness > {bars.faithfulness:.2f}",
        ),
        random_verdict(own, random, null=NULL, bars=bars, level=level),
    ]
    if KEPT_ACROSS_TEMPLATES in found:
        claim = "Circuits of different templates do the same job"
        function = function_verdict(found[KEPT_ACROSS_TEMPLATES], claim=claim, bars=bars)
        verdicts += [function, reading_verdict(structure_verdict(stability), function)]
    tied = {axis.key: axis.tied for axis in axes if axis.tied}
    if LOST in found and "paraphrase" not in tied:
        verdicts.append(source_verdict(found[LOST], bars=bars))
    if size == 0:
        verdicts = [_undecided(verdict, EMPTY, LARGER) for verdict in verdicts]
        for key in stability.keys() - tied.keys():
            stability[key] = tuple(_undecided(v, EMPTY, LARGER) for v in stability[key])
    if LOST in found and "paraphrase" in tied:
        source = source_verdict(found[LOST], bars=bars)
        verdicts.append(_undecided(source, tied_reason(tied["paraphrase"]), UNTIE))
    exact = found.get("rank correlation with exact")
    if exact is not None and method != "exact":
        verdicts.append(agreement_verdict(exact, first=method, second="exact patching", bars=bars))
    return (*(verdict for own in stability.values() for verdict in own), *verdicts)


def _undecided(verdict: Verdict, reason: str, needed: str) -> Verdict:
    return replace(verdict, outcome="undecided", reason=reason, needed=needed)

"""Pass, fail, undecided or no compression: a claim held to a named bar by its interval.

A claim passes when its whole interval is beyond the bar and fails when the whole interval falls
short; otherwise it is undecided, with what it would take.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from circuitvar.audit.types import Axis, Estimate, Outcome, Verdict
from circuitvar.audit.verdicts.bars import Bars, is_no_compression
from circuitvar.audit.verdicts.sentences import (
    BETWEEN,
    UNTIE,
    WITHIN,
    needed_units,
    structure_and_function,
    tied_reason,
)
from circuitvar.circuits.binomial import clopper_pearson
from circuitvar.circuits.confidence import check_confidence

DATA_AXES = ("halves-template", "halves-prompt", "paraphrase", "fresh-data")
"""Axes that compare circuits of different prompts."""


def judge(
    claim: str, estimate: Estimate, bar: float, *, bar_text: str, unit: str = "", above: bool = True
) -> Verdict:
    """Hold one interval to one bar. `unit`: what more of would decide; the estimate's own if empty.

    >>> e = Estimate("phi", 0.9, 0.02, 0.86, 0.94, n=12)
    >>> judge("stable", e, 0.75, bar_text="phi > 0.75").outcome
    'pass'
    """
    value, low, high = estimate.value, estimate.low, estimate.high
    unit = unit or estimate.unit or "run"
    if not np.isfinite(value):
        reason = f"{estimate.name} is undefined: there is no edge, no effect or no difference."
        return Verdict(claim, bar_text, "undecided", reason)
    numbers = f"{estimate.name} = {value:.3f}"
    if not (np.isfinite(low) and np.isfinite(high)):
        reason = f"{numbers}; {estimate.missing or 'no interval'}."
        return Verdict(claim, bar_text, "undecided", reason, f"more {unit}s")
    numbers += f" [{low:.3f}, {high:.3f}] at {estimate.level:.0%}"
    outcome: Outcome = "undecided"
    if low > bar:
        outcome = "pass" if above else "fail"
    elif high < bar:
        outcome = "fail" if above else "pass"
    needed = needed_units(estimate, bar, unit=unit) if outcome == "undecided" else ""
    relation = {"pass": "is beyond", "fail": "falls short of", "undecided": "contains"}[outcome]
    return Verdict(claim, bar_text, outcome, f"{numbers} {relation} the bar.", needed)


def stability_verdicts(
    axis: Axis, *, bars: Bars | None = None, check_resamples: bool | None = None
) -> tuple[Verdict, ...]:
    """phi and Jaccard of one axis against their bars.

    `check_resamples`: ask for `bars.resamples` runs before Jaccard may pass; by default for
    bootstrap axes, which is where the bar was proposed.
    """
    bars = bars or Bars()
    bootstrap = axis.key.startswith("bootstrap") if check_resamples is None else check_resamples
    claim = f"The edge set is stable: {axis.title.lower()}"
    jaccard_bar = f"mean pairwise Jaccard > {bars.jaccard:.2f}"
    if bootstrap:
        jaccard_bar += f" (>= {bars.resamples} resamples)"
    phi_bar = f"phi > {bars.phi:.2f}"
    share = float(axis.sizes.mean() / len(axis.inclusion))
    if is_no_compression(share, bars):
        reason = f"The circuits keep {share:.0%} of the edges on average."
        return tuple(
            Verdict(claim, bar, "no compression", reason) for bar in (phi_bar, jaccard_bar)
        )
    if axis.tied:
        tie = Verdict(claim, phi_bar, "undecided", tied_reason(axis.tied), UNTIE)
        return tie, replace(tie, bar=jaccard_bar)
    unit = "run" if axis.phi.kind in ("runs", "choices") else axis.unit
    phi = judge(claim, axis.phi, bars.phi, bar_text=phi_bar, unit=unit)
    jaccard = judge(claim, axis.jaccard, bars.jaccard, bar_text=jaccard_bar, unit=unit)
    if bootstrap and jaccard.outcome == "pass" and axis.runs < bars.resamples:
        reason = f"{jaccard.reason} But there are only {axis.runs} resamples."
        needed = f"{bars.resamples} resamples"
        jaccard = Verdict(claim, jaccard_bar, "undecided", reason, needed)
    return phi, jaccard


def random_verdict(
    observed: float,
    random: Float[np.ndarray, " draw"],
    *,
    null: str,
    bars: Bars | None = None,
    level: float = 0.95,
) -> Verdict:
    """The circuit beats random circuits of the same size.

    The share of draws strictly below the observed value, with its exact binomial interval, is held
    to `bars.beats_random`. `null` says how the random circuits were drawn.

    Raises
    ------
    ValueError
        There is no random circuit, a value is not finite, or `level` is no confidence level.
    """
    bars, random = bars or Bars(), np.asarray(random, dtype=np.float64)
    if not np.isfinite(random).all() or not np.isfinite(observed):
        raise ValueError("a value to compare is not finite; drop that random circuit and say so")
    beaten, draws = int((random < observed).sum()), len(random)
    if draws == 0:
        raise ValueError("no random circuits to compare with; draw 100, say")
    low, high = clopper_pearson(np.array([beaten]), draws, alpha=1 - check_confidence(level))
    estimate = Estimate(
        "share of random circuits beaten",
        beaten / draws,
        low=float(low[0]),
        high=float(high[0]),
        level=level,
        n=draws,
        interval="Clopper-Pearson",
        estimand=f"against {null}",
        kind="exact",
        unit="random circuit",
    )
    text = f"beats more than {bars.beats_random:.0%} of {null}"
    return judge("The circuit beats random circuits", estimate, bars.beats_random, bar_text=text)


def agreement_verdict(
    estimate: Estimate, *, first: str, second: str, bars: Bars | None = None
) -> Verdict:
    """Two methods agree: a rank or set agreement with an interval against `bars.agreement`."""
    bar = (bars or Bars()).agreement
    text = f"{estimate.name} > {bar:.2f}"
    return judge(f"{first} and {second} agree", estimate, bar, bar_text=text)


def function_verdict(estimate: Estimate, *, claim: str, bars: Bars | None = None) -> Verdict:
    """Function is kept across data sets: retained share of faithfulness against `bars.function`."""
    bar = (bars or Bars()).function
    return judge(claim, estimate, bar, bar_text=f"{estimate.name} > {bar:.2f}")


def structure_verdict(stability: Mapping[str, tuple[Verdict, ...]]) -> Verdict:
    """Structure over all axes that compare circuits of different prompts.

    `stability`: the verdicts of each axis by its key. Unstable where one of them fails, stable
    where all pass. Each is judged at its own level: with every truth exactly at its bar, one of up
    to eight fails more often than a single one does.
    """
    own = [v for key, verdicts in stability.items() if key in DATA_AXES for v in verdicts]
    outcomes: list[Outcome] = [verdict.outcome for verdict in own]
    outcome: Outcome = "undecided"
    for word in ("fail", "no compression"):
        if word in outcomes:
            outcome = word
    if own and set(outcomes) == {"pass"}:
        outcome = "pass"
    reason = own[outcomes.index(outcome)].reason if outcome in outcomes else ""
    return Verdict("structure", "", outcome, reason)


def reading_verdict(structure: Verdict, function: Verdict) -> Verdict:
    """Structure and function together: circuits that do the same job are told apart from noise."""
    words = structure_and_function(structure, function)
    outcomes = {structure.outcome, function.outcome}
    outcome: Outcome = "undecided"
    for word in ("fail", "no compression"):
        if word in outcomes:
            outcome = word
    if outcomes == {"pass"}:
        outcome = "pass"
    reason = " ".join(part for part in (structure.reason, function.reason) if part)
    return Verdict(
        "Circuits of different prompts share structure and function",
        "stable structure, equal function",
        outcome,
        f"{words}: {reason}",
    )


def source_verdict(lost: Estimate, *, bars: Bars | None = None) -> Verdict:
    """Whether instability comes from wording: templates against random groups of prompts."""
    bar = (bars or Bars()).wording
    found = judge(
        "Templates agree as well as random groups of prompts",
        lost,
        bar,
        bar_text=f"{lost.name} < {bar:.2f}",
        unit="template",
        above=False,
    )
    words = {"fail": BETWEEN, "pass": WITHIN, "undecided": "undecided"}
    return replace(found, reason=f"{words[found.outcome]}: {found.reason}")

"""Pass, fail, undecided or no compression: a claim held to a named bar by its interval.

A claim passes when its whole interval is beyond the bar and fails when the whole interval falls
short; otherwise it is undecided, with what it would take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from circuitvar.audit.intervals import exact_share
from circuitvar.audit.types import Axis, Estimate, Outcome, Verdict
from circuitvar.audit.verdicts.bars import Bars, is_no_compression
from circuitvar.circuits.confidence import check_confidence

DATA_AXES = ("halves-template", "halves-prompt", "paraphrase", "fresh-data")
"""Axes that compare circuits of different prompts."""
UNTIE = "a size outside the tie, or a method and metric that tell these edges apart"
"""What it takes to decide where ties decide."""
BETWEEN, WITHIN = "between-template", "within-template"
_WITHIN_REACH = 1000
"""More than this many times the present sample is reported as out of reach."""


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
    if low <= bar <= high:
        needed = needed_units(estimate, bar, unit=unit)
        return Verdict(claim, bar_text, "undecided", f"{numbers} contains the bar.", needed)
    if (low > bar) == above:
        return Verdict(claim, bar_text, "pass", f"{numbers} is beyond the bar.")
    return Verdict(claim, bar_text, "fail", f"{numbers} falls short of the bar.")


def needed_units(estimate: Estimate, bar: float, *, unit: str = "run") -> str:
    """Units at which an interval that shrinks as 1/sqrt(n) would clear the bar at this distance.

    n' = n (half width towards the bar / distance)², to two digits. The estimate is taken to stay
    where it is.
    """
    if estimate.kind == "choices":
        return "nothing more to run: these choices were named beforehand"
    distance = abs(estimate.value - bar)
    half = estimate.value - estimate.low if estimate.value > bar else estimate.high - estimate.value
    if distance == 0 or half / distance > np.sqrt(_WITHIN_REACH) or estimate.n == 0:
        return f"out of reach: the estimate is {distance:.2g} from the bar"
    needed = estimate.n * (half / distance) ** 2
    scale = 10 ** (int(np.floor(np.log10(needed))) - 1) if needed > 10 else 1
    return f"about {int(np.ceil(needed / scale) * scale)} {unit}s"


def tied_reason(edges: int) -> str:
    """Why stability is undecided where edges tie."""
    return f"{edges} edges tie at the cut; their order in the graph decides."


def stability_verdicts(axis: Axis, *, bars: Bars | None = None) -> tuple[Verdict, ...]:
    """phi and Jaccard of one axis against their bars.

    On bootstrap axes, where its bar was proposed, Jaccard passes from `bars.resamples` runs on.
    """
    bars, bootstrap = bars or Bars(), axis.key.startswith("bootstrap")
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
    """
    bars, random = bars or Bars(), np.asarray(random, dtype=np.float64)
    if not np.isfinite(random).all() or not np.isfinite(observed):
        raise ValueError("a value to compare is not finite; drop that random circuit and say so")
    beaten, draws = int((random < observed).sum()), len(random)
    if draws == 0:
        raise ValueError("no random circuits to compare with; draw 100, say")
    said = {"estimand": f"against {null}", "interval": "Clopper-Pearson", "unit": "random circuit"}
    name = "share of random circuits beaten"
    estimate = exact_share(name, beaten, draws, check_confidence(level), **said)
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
    outcome = _together(outcomes)
    reason = own[outcomes.index(outcome)].reason if outcome in outcomes else ""
    return Verdict("structure", "", outcome, reason)


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    """What several verdicts come to."""
    words: tuple[Outcome, ...] = ("no compression", "fail")
    for outcome in words:
        if outcome in outcomes:
            return outcome
    return "pass" if set(outcomes) == {"pass"} else "undecided"


def structure_and_function(structure: Verdict, function: Verdict) -> str:
    """What the two say together; unstable structure, equal function: many circuits do the job."""
    if "no compression" in (structure.outcome, function.outcome):
        return "no compression"
    shape = {"pass": "stable", "fail": "unstable"}.get(structure.outcome, "undecided")
    work = {"pass": "equal", "fail": "different"}.get(function.outcome, "undecided")
    return f"{shape} structure, {work} function"


def reading_verdict(structure: Verdict, function: Verdict) -> Verdict:
    """Structure and function together: circuits that do the same job are told apart from noise."""
    reason = " ".join(part for part in (structure.reason, function.reason) if part)
    return Verdict(
        "Circuits of different prompts share structure and function",
        "stable structure, equal function",
        _together((structure.outcome, function.outcome)),
        f"{structure_and_function(structure, function)}: {reason}",
    )


def source_verdict(lost: Estimate, *, bars: Bars | None = None) -> Verdict:
    """Whether instability comes from wording: templates against random groups of prompts."""
    bar = (bars or Bars()).wording
    claim, text = "Templates agree as well as random groups of prompts", f"{lost.name} < {bar:.2f}"
    found = judge(claim, lost, bar, bar_text=text, unit="template", above=False)
    words = {"fail": BETWEEN, "pass": WITHIN, "undecided": "undecided"}
    return replace(found, reason=f"{words[found.outcome]}: {found.reason}")

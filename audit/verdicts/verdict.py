"""Pass, fail, undecided or no compression: a claim held to a named bar by its interval.

A claim passes when its whole interval is beyond the bar and fails when the whole interval falls
short; otherwise it is undecided, with what it would take. Bars are arguments, not facts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Float

from circuitvar.audit.agreement import LEAST_UNITS
from circuitvar.audit.indices import clopper_pearson
from circuitvar.audit.intervals import CHOICES
from circuitvar.audit.types import Axis, Estimate, Outcome, Verdict

STABLE = "The edge set is stable: "
"""How the claims about single axes begin."""
_WITHIN_REACH = 1000
"""More than this many times the present sample is reported as out of reach."""


@dataclass(frozen=True)
class Bars:
    """What counts as good enough. Change them, and every verdict says what it was held to."""

    jaccard: float = 0.8
    """Mean pairwise Jaccard proposed by Méloux et al. (arXiv 2510.00845), as preliminary."""
    resamples: int = 100
    """Resamples the same proposal asks for."""
    phi: float = 0.75
    """Lower end of `excellent` on the convention quoted by Nogueira et al. (2018)."""
    agreement: float = 0.8
    """Rank agreement of two methods."""
    beats_random: float = 0.9
    """Share of random circuits of the same size to beat (Shi et al., arXiv 2410.13032)."""
    faithfulness: float = 0.8
    """Share of the clean-corrupt gap that a circuit keeps on held-out prompts."""
    function: float = 0.9
    """Share of its own faithfulness that a circuit keeps on another data set."""
    wording: float = 0.1
    """phi that templates may lose against random groups of prompts of the same sizes."""
    compression: float = 0.5
    """A circuit that keeps at least this share of the edges is no compression."""


def changed_bars(texts: Sequence[str]) -> Bars:
    """The default bars with some changed, each `name=value`.

    >>> changed_bars(["jaccard=0.7", "resamples=200"]).jaccard
    0.7

    Raises
    ------
    ValueError
        A bar has another name, or a value that is no number it can be held to.
    """
    known, changes = {field.name: field.default for field in fields(Bars)}, {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if name not in known:
            raise ValueError(f"bar {text!r} is unknown; write name=value with {', '.join(known)}")
        whole = isinstance(known[name], int)
        try:
            number = int(value) if whole else float(value)
        except ValueError:
            number = -1
        if not 0 <= number <= (np.inf if whole else 1) or not np.isfinite(number):
            kind = "a whole number, 0 or more" if whole else "a number from 0 to 1"
            raise ValueError(f"bar {text!r}: {value!r} is not {kind}")
        changes[name] = number
    return Bars(**changes)


def judge(
    claim: str,
    estimate: Estimate,
    bar: float,
    *,
    bar_text: str,
    unit: str = "run",
    above: bool = True,
) -> Verdict:
    """Hold one interval to one bar.

    >>> e = Estimate("phi", 0.9, 0.02, 0.86, 0.94, n=12)
    >>> judge("stable", e, 0.75, bar_text="phi > 0.75").outcome
    'pass'
    """
    value, low, high = estimate.value, estimate.low, estimate.high
    if not np.isfinite(value):
        reason = f"{estimate.name} is undefined: there is no edge, no effect or no difference."
        return Verdict(claim, bar_text, "undecided", reason)
    numbers = f"{estimate.name} = {value:.3f}"
    if not (np.isfinite(low) and np.isfinite(high)):
        reason, needed = f"{numbers}; {_why_no_interval(estimate, unit)}.", f"more {unit}s"
        return Verdict(claim, bar_text, "undecided", reason, needed)
    numbers += f" [{low:.3f}, {high:.3f}] at {estimate.level:.0%}"
    outcome: Outcome = "undecided"
    if low > bar:
        outcome = "pass" if above else "fail"
    elif high < bar:
        outcome = "fail" if above else "pass"
    needed = needed_units(estimate, bar, unit=unit) if outcome == "undecided" else ""
    relation = {"pass": "is beyond", "fail": "falls short of", "undecided": "contains"}[outcome]
    return Verdict(claim, bar_text, outcome, f"{numbers} {relation} the bar.", needed)


def _why_no_interval(estimate: Estimate, unit: str) -> str:
    """What is missing, from the name that an estimate without interval gives it."""
    few = re.fullmatch(r"none \(\d+ (units|runs)\)", estimate.interval)
    if few is None:
        return "no interval"
    least = f"{LEAST_UNITS} {unit}s" if few[1] == "units" else "3 runs"
    return f"no interval from fewer than {least}"


def needed_units(estimate: Estimate, bar: float, *, unit: str = "run") -> str:
    """Units at which an interval that shrinks as 1/sqrt(n) would clear the bar at this distance.

    n' = n (half width towards the bar / distance)². The estimate is taken to stay where it is.
    """
    if CHOICES in estimate.interval:
        return "nothing more to run: these choices were named beforehand"
    distance = abs(estimate.value - bar)
    half = estimate.value - estimate.low if estimate.value > bar else estimate.high - estimate.value
    if distance == 0 or half / distance > np.sqrt(_WITHIN_REACH) or estimate.n == 0:
        return f"out of reach: the estimate is {distance:.2g} from the bar"
    return f"about {_round_up(estimate.n * (half / distance) ** 2)} {unit}s"


UNTIE = "a size outside the tie, or a method and metric that tell these edges apart"
"""What it takes to decide where ties decide."""


def tied_reason(edges: int) -> str:
    """Why stability is undecided where edges tie."""
    return f"{edges} edges tie at the cut; their order in the graph decides."


def is_no_compression(share: float, bars: Bars) -> bool:
    """Whether circuits that keep this share of the edges are too large to say anything."""
    return share >= bars.compression


def stability_verdicts(
    axis: Axis, *, bars: Bars | None = None, check_resamples: bool | None = None
) -> tuple[Verdict, ...]:
    """phi and Jaccard of one axis against their bars.

    `check_resamples`: ask for `bars.resamples` runs before Jaccard may pass; by default for
    bootstrap axes, which is where the bar was proposed.
    """
    bars = Bars() if bars is None else bars
    bootstrap = axis.key.startswith("bootstrap") if check_resamples is None else check_resamples
    claim = f"{STABLE}{axis.title.lower()}"
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
    unit = axis.unit if "jackknife t" not in axis.phi.interval else "run"
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
    """The circuit beats random circuits of the same size: share of draws strictly below the
    observed value, with its exact binomial interval, against `bars.beats_random`. `null` says how
    the random circuits were drawn."""
    bars, random = Bars() if bars is None else bars, np.asarray(random, dtype=np.float64)
    if not np.isfinite(random).all() or not np.isfinite(observed):
        raise ValueError("a value to compare is not finite; drop that random circuit and say so")
    beaten, draws = int((random < observed).sum()), len(random)
    if draws == 0:
        raise ValueError("no random circuits to compare with; draw 100, say")
    low, high = clopper_pearson(np.array([beaten]), draws, level=level)
    estimate = Estimate(
        "share of random circuits beaten", beaten / draws, np.nan, float(low[0]), float(high[0]),
        level, draws, "Clopper-Pearson", f"against {null}",
    )  # fmt: skip
    text = f"beats more than {bars.beats_random:.0%} of {null}"
    return judge(
        "The circuit beats random circuits", estimate, bars.beats_random, bar_text=text,
        unit="random circuit",
    )  # fmt: skip


def agreement_verdict(
    estimate: Estimate, *, first: str, second: str, bars: Bars | None = None, unit: str = "prompt"
) -> Verdict:
    """Two methods agree: a rank or set agreement with an interval against `bars.agreement`."""
    bars = Bars() if bars is None else bars
    text = f"{estimate.name} > {bars.agreement:.2f}"
    return judge(f"{first} and {second} agree", estimate, bars.agreement, bar_text=text, unit=unit)


def function_verdict(
    estimate: Estimate, *, claim: str, bars: Bars | None = None, unit: str = "prompt"
) -> Verdict:
    """Function is kept across data sets: retained share of faithfulness against `bars.function`."""
    bars = Bars() if bars is None else bars
    text = f"{estimate.name} > {bars.function:.2f}"
    return judge(claim, estimate, bars.function, bar_text=text, unit=unit)


DATA_AXES = ("halves-template", "halves-prompt", "paraphrase", "fresh-data")
"""Axes that compare circuits of different prompts."""
BETWEEN, WITHIN = "between-template", "within-template"


def structure_and_function(structure: Verdict, function: Verdict) -> str:
    """What the two verdicts say together; the case that matters is unstable structure with equal
    function: several circuits do the same job."""
    words = {"pass": "stable", "fail": "unstable", "undecided": "undecided"}
    if "no compression" in (structure.outcome, function.outcome):
        return "no compression"
    functions = {"pass": "equal", "fail": "different", "undecided": "undecided"}
    return f"{words[structure.outcome]} structure, {functions[function.outcome]} function"


def structure_verdict(verdicts: tuple[Verdict, ...], axes: tuple[Axis, ...]) -> Verdict:
    """Structure over all axes that compare circuits of different prompts: unstable where one of
    them fails, stable where all pass. Each is judged at its own level: with every truth exactly at
    its bar, one of up to eight fails more often than a single one does."""
    titles = {axis.title.lower() for axis in axes if axis.key in DATA_AXES}
    own = [v for v in verdicts if v.claim.removeprefix(STABLE) in titles]
    outcome: Outcome = "undecided"
    for word in ("no compression", "fail"):
        if outcome == "undecided" and any(v.outcome == word for v in own):
            outcome = word
    if own and all(v.outcome == "pass" for v in own):
        outcome = "pass"
    shown = next((v for v in own if v.outcome == outcome), None)
    return Verdict("structure", "", outcome, "" if shown is None else shown.reason)


def reading_verdict(structure: Verdict, function: Verdict) -> Verdict:
    """Structure and function together, so that two circuits that do the same job are told apart
    from noise."""
    words = structure_and_function(structure, function)
    outcome: Outcome = "undecided"
    if words == "no compression":
        outcome = "no compression"
    elif "unstable" in words or "different" in words:
        outcome = "fail"
    elif words == "stable structure, equal function":
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
    bars = Bars() if bars is None else bars
    found = judge(
        "Templates agree as well as random groups of prompts",
        lost,
        bars.wording,
        bar_text=f"{lost.name} < {bars.wording:.2f}",
        unit="template",
        above=False,
    )
    words = {"fail": BETWEEN, "pass": WITHIN, "undecided": "undecided"}
    return replace(found, reason=f"{words[found.outcome]}: {found.reason}")


def _round_up(value: float) -> int:
    """Two significant digits, upwards."""
    if value <= 10:
        return int(np.ceil(value))
    scale = 10 ** (int(np.floor(np.log10(value))) - 1)
    return int(np.ceil(value / scale) * scale)

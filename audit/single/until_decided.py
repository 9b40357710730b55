"""Add prompts until stability is decided or the budget is spent; watching does not invalidate it.

Each step draws two fresh data sets of `n` prompts, finds a circuit in each and compares the two.
Steps are independent and phi is bounded, so their mean has a confidence sequence that holds at
every time at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from circuitvar.audit.indices import phi
from circuitvar.audit.intervals import LEAST, stop_when_decided
from circuitvar.audit.resampling import require_scores, tied_at_cut
from circuitvar.audit.runs import DATA, Bench, RunKey, fresh_batch, score_prompts
from circuitvar.audit.settings import Settings
from circuitvar.audit.types import Estimate, Verdict
from circuitvar.audit.verdicts import UNTIE, Bars, is_no_compression, judge, tied_reason
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.model import Model
from circuitvar.circuits.size import circuit_size
from circuitvar.tasks.types import Task


@dataclass(frozen=True)
class FreshPair:
    """Circuits of two fresh data sets."""

    phi: float
    tied: int = 0
    """Edges that tie at the cut in both of them; 0: none."""


def fresh_pairs(task: Task, model: Model, settings: Settings) -> Iterator[FreshPair]:
    """The circuits of two fresh data sets of `settings.n` prompts compared, pair after pair.

    Data sets come from the whole word list, not from its halves, so that pairs are alike. The two
    of a pair share no row of a file.
    """
    bench = Bench(replace(task, pools=("all",)), model, settings)
    size = circuit_size(model.graph.n_edges, settings.size)
    pair = 0
    while True:
        runs, used = [], set()
        for draw in (2 * pair, 2 * pair + 1):
            unlike = used if task.distinct else None
            drawn, prompts = fresh_batch(bench.task, settings, model, draw, unlike=unlike)
            used = {prompt.clean for prompt in prompts}
            runs.append(score_prompts(bench, RunKey(((DATA, draw + 1),)), drawn.batch))
            require_scores(runs[-1])
        means, signed = np.stack([run.mean for run in runs]), settings.signed
        tied = int(tied_at_cut(means, size, signed=signed).min())
        yield FreshPair(phi(top_n_masks(means, size, signed=signed)), tied)
        pair += 1


def lowest_phi(model: Model, settings: Settings) -> float:
    """phi of two circuits without a common edge, -s/(1 - s) with s the share of edges kept."""
    share = circuit_size(model.graph.n_edges, settings.size) / model.graph.n_edges
    return -share / (1 - share) if share < 1 else -1.0


def until_decided(
    task: Task,
    model: Model,
    settings: Settings,
    *,
    budget: int,
    bars: Bars | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Estimate, Verdict]:
    """(phi between data sets of n prompts, verdict) after as many prompts as it took.

    Stops when the confidence sequence leaves the bar for phi, or after `budget` prompts, 2n of
    which are one pair; at least 30 pairs are needed. A size that is no compression is said so
    before anything is scored, with phi undefined; where ties at the cut decide in most pairs,
    stability is undecided.

    Raises
    ------
    ValueError
        The budget does not hold 30 pairs, every score is 0, or more edges are asked for than the
        graph has.
    """
    bars = Bars() if bars is None else bars
    samples = sampled_prompts(task, settings.n)
    claim = f"The edge set is stable: {samples}"
    bar_text = f"phi > {bars.phi:.2f}, watched"
    pairs = budget // (2 * settings.n)
    if pairs < LEAST:
        raise ValueError(
            f"a budget of {budget} prompts holds {pairs} pairs of {settings.n}; at least {LEAST} "
            f"pairs are needed: use {2 * LEAST * settings.n} prompts or a smaller n"
        )
    if (large := _no_compression(model, settings, bars)) is not None:
        return Estimate("phi", float("nan")), Verdict(claim, bar_text, "no compression", large)

    tied: list[int] = []

    def watched() -> Iterator[float]:
        for done, pair in enumerate(fresh_pairs(task, model, settings)):
            if progress is not None:
                progress(done, pairs)
            tied.append(pair.tied)
            yield pair.phi

    found = stop_when_decided(
        watched(),
        bar=bars.phi,
        budget=pairs,
        bounds=(lowest_phi(model, settings), 1.0),
        alpha=1 - settings.confidence,
        name="phi",
        estimand=f"agreement of {samples}",
    )
    ties = [edges for edges in tied if edges]
    if 2 * len(ties) > len(tied):
        reason = tied_reason(int(np.median(ties)))
        return found, Verdict(claim, bar_text, "undecided", reason, UNTIE)
    return found, judge(claim, found, bars.phi, bar_text=bar_text, unit="pair")


def sampled_prompts(task: Task, n: int) -> str:
    """What the two circuits of a pair were found on.

    Rows of a file stand for that file only: pairs draw them again.
    """
    if task.distinct:
        return f"disjoint samples of {n} rows of {task.key}"
    return f"fresh samples of {n} prompts"


def _no_compression(model: Model, settings: Settings, bars: Bars) -> str | None:
    """Why circuits of the size that is asked for are no compression; None if they are one."""
    n_edges = model.graph.n_edges
    size = circuit_size(n_edges, settings.size)
    if not is_no_compression(size / n_edges, bars):
        return None
    return f"Circuits of {size} of {n_edges} edges keep {size / n_edges:.0%} of them."

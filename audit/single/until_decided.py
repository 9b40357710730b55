"""Add prompts until stability is decided or the budget is spent; watching does not invalidate it.

Each step draws two fresh data sets of `n` prompts, finds a circuit in each and compares the two.
Steps are independent and phi is bounded, so their mean has a confidence sequence that holds at
every time at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from circuitvar.audit.indices import phi
from circuitvar.audit.intervals import LEAST, stop_when_decided
from circuitvar.audit.resampling import require_scores, tied_at_cut
from circuitvar.audit.runs import DATA, Bench, RunKey, fresh_batch, score_prompts
from circuitvar.audit.settings import Settings
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Estimate, Verdict
from circuitvar.audit.verdicts import UNTIE, Bars, is_no_compression, judge, tied_reason
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.model import Model
from circuitvar.circuits.option import options_of
from circuitvar.circuits.size import circuit_size
from circuitvar.tasks.tokens import TooFewUsable, sample_batch, take
from circuitvar.tasks.types import Batch, Task


@dataclass(frozen=True)
class FreshPair:
    """Circuits of two fresh data sets."""

    phi: float
    tied: int = 0
    """Edges that tie at the cut in both of them; 0: none."""


def data_sets(task: Task, model: Model, settings: Settings) -> Iterator[Batch]:
    """Data sets of `settings.n` prompts without end; of a file, until its rows are used up.

    They come from the whole word list, not from its halves, so that pairs are alike.
    """
    if task.distinct:
        rows = usable_rows(task, model, settings)
        for start in range(0, len(rows) - settings.n + 1, settings.n):
            yield take(rows, slice(start, start + settings.n))
        return
    task = replace(task, pools=("all",))
    for draw in count():
        yield fresh_batch(task, settings, model, draw)[0].batch


def usable_rows(task: Task, model: Model, settings: Settings) -> Batch:
    """Every row of a file that the tokenizer can read, in random order."""

    def rows(n: int) -> Batch:
        rng = stream(settings.seed, task.key, "fresh")
        return sample_batch(task, n, model, rng=rng, corruption=settings.corruption)[0].batch

    try:
        return rows(task.rows)
    except TooFewUsable as few:
        return rows(few.usable)


def fresh_pairs(task: Task, model: Model, settings: Settings) -> Iterator[FreshPair]:
    """The circuits of two data sets that share no prompt of a file, pair after pair."""
    bench = Bench(task, model, settings)
    size = circuit_size(model.graph.n_edges, settings.size)
    drawn = enumerate(data_sets(task, model, settings))
    for pair in zip(drawn, drawn, strict=False):
        runs = [score_prompts(bench, RunKey(((DATA, draw + 1),)), batch) for draw, batch in pair]
        for run in runs:
            require_scores(run)
        means, signed = np.stack([run.mean for run in runs]), settings.signed
        tied = int(tied_at_cut(means, size, signed=signed).min())
        yield FreshPair(phi(top_n_masks(means, size, signed=signed)), tied)


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
        The budget or the file does not hold 30 pairs, every score is 0, or more edges are asked
        for than the graph has.
    """
    bars = Bars() if bars is None else bars
    samples = sampled_prompts(task, settings.n)
    claim = f"The edge set is stable: {samples}"
    bar_text = f"phi > {bars.phi:.2f}, watched"
    pairs = budget // (2 * settings.n)
    if task.distinct:
        pairs = min(pairs, _disjoint_pairs(task, model, settings))
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

    Rows of a file stand for that file only, and each is used once.
    """
    if task.distinct:
        return f"disjoint samples of {n} rows of {task.key}"
    return f"fresh samples of {n} prompts"


def _disjoint_pairs(task: Task, model: Model, settings: Settings) -> int:
    """Pairs that share no row of a file: rows that come again are not fresh data."""
    n, rows = settings.n, len(usable_rows(task, model, settings))
    if rows // (2 * n) >= LEAST:
        return rows // (2 * n)
    most, allowed = rows // (2 * LEAST), options_of(Settings)["n"].range
    smaller = f"use n = {most} or less, " if allowed is None or most in allowed else ""
    raise ValueError(
        f"{task.source or task.key} has {rows} usable rows, which are {rows // (2 * n)} disjoint "
        f"pairs of {n}; at least {LEAST} pairs are needed: {smaller}add rows up to "
        f"{2 * LEAST * n}, or let `audit` compare halves of the rows"
    )


def _no_compression(model: Model, settings: Settings, bars: Bars) -> str | None:
    """Why circuits of the size that is asked for are no compression; None if they are one."""
    n_edges = model.graph.n_edges
    size = circuit_size(n_edges, settings.size)
    if not is_no_compression(size / n_edges, bars):
        return None
    return f"Circuits of {size} of {n_edges} edges keep {size / n_edges:.0%} of them."

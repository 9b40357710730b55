"""Draw the data sets of an audit: discovery, held-out and fresh prompts that do not overlap."""

import hashlib
import json
from dataclasses import asdict

import numpy as np

from circuitvar.audit.settings import Settings
from circuitvar.audit.streams import stream
from circuitvar.tasks.types import PromptPair, Task


def discovery_pairs(task: Task, settings: Settings) -> tuple[PromptPair, ...]:
    """The prompts the circuit is found on."""
    rng = stream(settings.seed, task.key, "discovery")
    return task.sample(settings.n, rng=rng, corruption=settings.corruption)


def heldout_pairs(
    task: Task, settings: Settings, seen: tuple[PromptPair, ...]
) -> tuple[PromptPair, ...]:
    """Fresh prompts for evaluation, none of which was used for discovery.

    Raises
    ------
    ValueError
        The task cannot make enough prompts that differ from the discovery prompts.
    """
    known = {pair.clean for pair in seen}
    kept: list[PromptPair] = []
    rng = stream(settings.seed, task.key, "heldout")
    for _ in range(20):
        for pair in task.sample(settings.heldout, rng=rng, corruption=settings.corruption):
            if pair.clean not in known:
                known.add(pair.clean)
                kept.append(pair)
        if len(kept) >= settings.heldout:
            return tuple(kept[: settings.heldout])
    raise ValueError(
        f"task {task.key!r} gave {len(kept)} held-out prompts that differ from the {settings.n} "
        f"discovery prompts, {settings.heldout} were asked for; lower n or heldout"
    )


def fresh_pairs(task: Task, settings: Settings, draw: int) -> tuple[PromptPair, ...]:
    """Another data set of the same task and size, from disjoint word lists where it has them.

    Even draws come from slot pool "a" and odd ones from "b", so that a circuit that depends on
    particular words shows. Tasks without pools are drawn afresh.
    """
    rng = stream(settings.seed, task.key, "fresh", draw)
    pool = ("a", "b")[draw % 2] if {"a", "b"} <= set(task.pools) else "all"
    return task.sample(settings.n, rng=rng, corruption=settings.corruption, pool=pool)


def data_hash(pairs: tuple[PromptPair, ...]) -> str:
    """Content hash of a data set: sha256 of its prompts in order, as JSON."""
    rows = json.dumps([asdict(pair) for pair in pairs], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(rows.encode()).hexdigest()


def spread_over_templates(templates: tuple[str, ...], n: int) -> np.ndarray:
    """Row numbers of `n` examples taken round-robin over the templates, in file order.

    >>> spread_over_templates(("x", "x", "x", "y"), 2).tolist()
    [0, 3]
    """
    order: dict[str, int] = {}
    turn = np.empty(len(templates), dtype=np.int64)
    for row, template in enumerate(templates):
        turn[row] = order.get(template, 0)
        order[template] = turn[row] + 1
    return np.sort(np.argsort(turn, kind="stable")[:n])

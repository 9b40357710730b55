"""Draw the data sets of an audit: discovery, held-out and fresh prompts that do not overlap."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from circuitvar.audit.settings import Settings
from circuitvar.audit.streams import stream
from circuitvar.tasks.tokens import Tokenized, TooFewUsable, sample_batch
from circuitvar.tasks.types import PromptPair, Task

if TYPE_CHECKING:
    from circuitvar.circuits.model import Model


Drawn = tuple[Tokenized, tuple[PromptPair, ...]]
"""A batch and its prompts, in the same order."""


def discovery_batch(task: Task, settings: Settings, model: "Model") -> Drawn:
    """The prompts the circuit is found on."""
    return _draw(task, settings, model, settings.n, ("discovery",))


def heldout_batch(
    task: Task, settings: Settings, model: "Model", seen: tuple[PromptPair, ...]
) -> Drawn:
    """Fresh prompts for evaluation, none of which was used for discovery.

    Raises
    ------
    ValueError
        The task cannot make enough prompts that differ from the discovery prompts.
    """
    used = {pair.clean for pair in seen}
    try:
        return _draw(task, settings, model, settings.heldout, ("heldout",), unlike=used)
    except TooFewUsable as few:
        raise ValueError(f"held-out prompts: {few}; lower n or heldout") from None


def fresh_batch(
    task: Task,
    settings: Settings,
    model: "Model",
    draw: int,
    *,
    unlike: Collection[str] | None = None,
) -> Drawn:
    """Another data set of the same task and size, from disjoint word lists where it has them.

    Even draws come from slot pool "a" and odd ones from "b", so that a circuit that depends on
    particular words shows. Tasks without pools are drawn afresh. `unlike`: clean prompts that must
    not come up.

    Raises
    ------
    ValueError
        The task cannot make enough prompts that differ from these.
    """
    pool = ("a", "b")[draw % 2] if has_word_lists(task) else "all"
    return _draw(task, settings, model, settings.n, ("fresh", draw), pool=pool, unlike=unlike)


def has_word_lists(task: Task) -> bool:
    """Whether the task has two disjoint word lists to draw from."""
    return {"a", "b"} <= set(task.pools)


def require_fresh(task: Task, settings: Settings) -> None:
    """Stop where the settings ask for fresh data sets that the task cannot draw.

    Raises
    ------
    ValueError
        The task has every row only once, so that another draw would repeat rows.
    """
    if task.distinct and settings.fresh:
        raise ValueError(
            f"fresh = {settings.fresh} data sets are asked for, but {task.source or task.key} has "
            f"every row only once, so another draw of {settings.n} is not independent of the first "
            "one; use fresh = 0 and read the halves of the prompts instead"
        )


def _draw(
    task: Task,
    settings: Settings,
    model: "Model",
    n: int,
    name: tuple[str | int, ...],
    *,
    pool: str = "all",
    unlike: Collection[str] | None = None,
) -> Drawn:
    return sample_batch(
        task,
        n,
        model,
        rng=stream(settings.seed, task.key, *name),
        corruption=settings.corruption,
        pool=pool,
        unlike=unlike,
    )


def marks_roles(task: Task) -> bool:
    """Whether the task's prompts say which tokens play a role, as embedding noise needs."""
    return any(pair.roles for pair in task.sample(8, rng=np.random.default_rng(0)))


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

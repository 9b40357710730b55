"""The circuit and the task that a command names: shipped, planted, a user's own, or in a file."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from circuitvar.audit.runs import discovery_batch
from circuitvar.audit.settings import Settings
from circuitvar.audit.streams import stream
from circuitvar.circuits.files import EdgeFile, read_edges, read_submission
from circuitvar.circuits.find import top_n
from circuitvar.circuits.model import Model
from circuitvar.circuits.published import (
    Published,
    load_published,
    planted_circuit,
    published_circuit,
    published_names,
)
from circuitvar.circuits.scores import measure_behaviour, require_behaviour
from circuitvar.circuits.types import Circuit
from circuitvar.tasks.catalog import TASKS, get_task
from circuitvar.tasks.text_files import read_text
from circuitvar.tasks.tokens import TooFewUsable, get_metric, sample_batch
from circuitvar.tasks.types import Batch, Metric, Task


@dataclass(frozen=True, eq=False)
class NamedCircuit:
    """A circuit and what came with it."""

    name: str
    circuit: Circuit
    scores: Float[np.ndarray, " edge"] | None
    """Only when the file scores every edge."""
    published: Published | None
    task: str | None
    """Key of the task it is about, where it names one."""
    in_file: bool = False
    """Its edges are those of a file, which does not say how many were asked for."""

    @property
    def roles(self) -> dict[str, str] | None:
        """Node -> role."""
        return self.published.role_of if self.published is not None else None


def resolve_circuit(
    name: str, model: Model, *, variant: str = "", size: int | None = None
) -> NamedCircuit:
    """A shipped circuit by key, a planted model's, or a file of edges in any known format.

    A file may also be JSON of the form of the shipped circuits (nodes by role, connections), or
    the folder of a MIB submission. Of scores without a circuit, the `size` strongest edges are
    taken.

    Raises
    ------
    ValueError
        Unknown name, or a circuit that does not fit the model's graph (names the first bad edge).
    """
    path = Path(name)
    if name in published_names() or (path.is_file() and _is_published(path)):
        published = load_published(name)
        circuit = published_circuit(published, model.graph, variant=variant)
        return NamedCircuit(name, circuit, None, published, published.task)
    if variant:
        raise ValueError(
            f"variant {variant!r} is for circuits that ship with variants; leave it out"
        )
    if path.is_file() or path.is_dir():
        file = _read_submission(path, model) if path.is_dir() else read_edges(path, model.graph)
        scores = file.scores if file.scores_all else None
        if file.kept is None and scores is not None and size is not None:
            return NamedCircuit(name, top_n(model.graph, scores, size), scores, None, None)
        if file.kept is None:
            raise ValueError(
                f"{path.name} holds scores but no circuit; say how many edges with --size"
                + ("" if file.scores_all else ", and score every edge of the model")
            )
        if not file.kept.any():
            raise ValueError(f"{path.name} holds no edge of a circuit; list at least one")
        return NamedCircuit(name, file.circuit, scores, None, None, in_file=True)
    if name.startswith("planted"):
        key = name.removeprefix("planted").lstrip(":-")
        circuit = planted_circuit(key, model.graph)
        return NamedCircuit(name, circuit, None, None, f"planted-{key}")
    raise ValueError(
        f"circuit {name!r} is neither a file nor shipped; "
        f"shipped are {', '.join(published_names())} and planted:KEY"
    )


def _read_submission(folder: Path, model: Model) -> EdgeFile:
    importances = read_submission(folder, model.graph).importances
    if importances is None:
        raise ValueError(f"{folder} is a submission of nine circuits; name one of its files")
    return importances


def _is_published(path: Path) -> bool:
    if path.suffix.lower() != ".json":
        return False
    try:
        data = json.loads(read_text(path))
    except ValueError:
        return False
    return isinstance(data, dict) and {"roles", "connections"} <= data.keys()


def circuit_task(
    found: NamedCircuit, task: str | None, data: Path | None, *, strict: bool = False
) -> Task:
    """The task asked for, a file of prompts, or the circuit's own.

    Raises
    ------
    ValueError
        No task is named anywhere, or both a task and a file are.
    """
    if task is None and data is None and found.task is None:
        raise ValueError(
            f"{found.name} does not say what it is a circuit of; name it with --task or --data"
        )
    return resolve_task(task if task or data else found.task, data, strict=strict)


def discovery_and_heldout(
    task: Task, model: Model, n: int, *, seed: int, corruption: str | None = None
) -> tuple[Batch, Batch]:
    """Two batches of `n` prompts that share none: to find or fit on, and to judge on.

    Raises
    ------
    ValueError
        The task cannot make that many different prompts.
    """
    rngs = [stream(seed, task.key, part) for part in ("discovery", "heldout")]
    first, pairs = sample_batch(task, n, model, rng=rngs[0], corruption=corruption)
    seen = {pair.clean for pair in pairs}
    try:
        second, _ = sample_batch(task, n, model, rng=rngs[1], unlike=seen, corruption=corruption)
    except TooFewUsable as few:
        raise ValueError(f"held-out prompts: {few}; lower --n") from None
    return first.batch, second.batch


def task_caution(
    task: Task, model: Model, batch: Batch, metric: Metric, *, allow_weak: bool
) -> list[str]:
    """What a report must say of a model that does not do the task; nothing of one that does.

    Raises
    ------
    ValueError
        The model does not do the task, unless `allow_weak`.
    """
    found = measure_behaviour(model, batch, metric=metric)
    require_behaviour(found, task=task.key, allow_weak=allow_weak)
    return [f"The model does not do {task.key!r}: {found.sentence}."] if found.weak else []


def check_behaviour(task: Task, model: Model, settings: Settings, *, allow_weak: bool) -> list[str]:
    """`task_caution` on the prompts that a circuit is found on."""
    batch = discovery_batch(task, settings, model)[0].batch
    metric = get_metric(settings.metric or task.metric)
    return task_caution(task, model, batch, metric, allow_weak=allow_weak)


def resolve_task(name: str | None, data: Path | None, *, strict: bool = False) -> Task:
    """The task a command names: a key, a user's `module:attribute`, or a file of prompts.

    Raises
    ------
    ValueError
        Neither or both of task and file were given, or the name is unknown.
    """
    if (name is None) == (data is None):
        raise ValueError(
            "give either a task or --data FILE"
            + (f"; tasks are {', '.join(t.key for t in TASKS)}" if name is None else ", not both")
        )
    if data is not None:
        from circuitvar.tasks.own import task_from_file

        return task_from_file(data, strict=strict)
    if ":" in str(name):
        from circuitvar.tasks.plugin import load_task

        return replace(load_task(str(name)), strict=strict)
    return replace(get_task(str(name)), strict=strict)

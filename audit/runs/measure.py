"""What the model computes for one run, from its key alone.

Everything else a run depends on is in the context of its key.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version

import numpy as np

from circuitvar.audit.runs.bench import Bench, drawn_prompts, score_prompts, with_level_noise
from circuitvar.audit.runs.design import RunKey
from circuitvar.audit.runs.facets import SETTINGS, pass_key, settings_of
from circuitvar.audit.runs.finder_runs import FINDER_SEED, find_run, finder_of
from circuitvar.audit.settings import Settings
from circuitvar.circuits.code_digest import code_digest
from circuitvar.circuits.find import get_finder
from circuitvar.circuits.loading import load_model
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.circuits.model import Model
from circuitvar.circuits.size import circuit_size
from circuitvar.tasks.types import Task


def design_context(task: Task, model: Model, settings: Settings) -> str:
    """Digest of what all runs share.

    What the task draws (its prompts, where they come from a file, and the code that draws them),
    model weights, number format and type of device, the settings that scores follow from, version
    of this package. Nothing else of the machine, and no setting of the statistics alone.
    """
    record = {
        "package": version("circuitvar"),
        "task": task.key,
        "version": task.version,
        "draws": code_digest(task),
        "model": model.digest,
        "dtype": str(model.dtype),
        "device": model.device.partition(":")[0],
        "settings": {name: getattr(settings, name) for name in (*SETTINGS, "noise_roles")},
    }
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def with_code(keys: Sequence[RunKey], settings: Settings) -> tuple[RunKey, ...]:
    """Runs with the code of their method or finder in their context.

    An edited function of the same name is thus run again.
    """
    known: dict[str, str] = {}

    def code(key: RunKey) -> str:
        finder, method = finder_of(dict(key.levels)), settings_of(key, settings).method
        name = f"finder {finder}" if finder else method
        if name not in known:
            record = get_finder(finder) if finder else get_method(method)
            known[name] = code_digest(record.fn)
            if finder:  # A finder is told how many edges to find.
                known[name] += f" size {settings.size}"
        return hashlib.sha256(f"{key.context} {known[name]}".encode()).hexdigest()

    return tuple(replace(key, context=code(key)) for key in keys)


def score_run(
    key: RunKey, *, task: Task, model: Model, settings: Settings
) -> dict[str, np.ndarray]:
    """Per-example scores of one pass and their templates, or the circuit of a finder.

    Depends on the key and what its context names alone.
    """
    bench = Bench(task, model, settings)
    batch = with_level_noise(bench, key, drawn_prompts(bench, key)[0].batch)
    levels = dict(key.levels)
    if not finder_of(levels):
        found = score_prompts(bench, key, batch)
        return {"scores": found.values, "templates": np.array(found.templates)}
    used, changed = bench.model_of(key), bench.settings_of(key)
    own, size = levels.get(FINDER_SEED), levels.get("size") or changed.size
    return find_run(
        used,
        batch,
        levels,
        metric=bench.metric_of(key),
        size=circuit_size(used.graph.n_edges, None if size is None else int(size)),
        seed=settings.seed,
        finder_seed=changed.seed if own is None else int(own),
    )


def score_named(
    key: RunKey, *, task: Task, source: tuple[str, str, str, str | None], settings: Settings
) -> dict[str, np.ndarray]:
    """`score_run` in a worker process, which loads the model by name once."""
    return score_run(key, task=task, model=_base(*source), settings=settings)


@lru_cache(maxsize=1)
def _base(name: str, device: str, dtype: str, revision: str | None) -> Model:
    return load_model(name, device=device, dtype=dtype, revision=revision)


def passes(keys: Sequence[RunKey]) -> tuple[RunKey, ...]:
    """The distinct scoring passes of a design.

    Those of one checkpoint and number format follow each other, so that each is loaded once.
    """
    distinct = dict.fromkeys(map(pass_key, keys))
    order = {"checkpoint": {}, "dtype": {}}

    def loaded(key: RunKey) -> list[int]:
        levels = dict(key.levels)
        return [seen.setdefault(levels.get(name), len(seen)) for name, seen in order.items()]

    return tuple(sorted(distinct, key=loaded))

"""Models of runs: another checkpoint or number format than the audited one, loaded once."""

from functools import lru_cache

from circuitvar.audit.runs.design import RunKey
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.loading import load_model
from circuitvar.circuits.model import Model


def model_of(key: RunKey, model: Model) -> Model:
    """The model of one run: another checkpoint or number format where its levels say so."""
    source = source_of(key, model)
    return model if source is None else loaded(*source)


def source_of(key: RunKey, model: Model) -> tuple[str, str, str, str | None] | None:
    """Name, device, dtype and revision of another model that a run is on; None for the same."""
    levels = dict(key.levels)
    checkpoint, dtype = levels.get("checkpoint"), levels.get("dtype")
    if checkpoint is None and dtype in (None, model.dtype):
        return None
    name, _, revision = (model.name if checkpoint is None else str(checkpoint)).partition("@")
    kept = model.revision if checkpoint is None else None
    return name, model.device, str(dtype or model.dtype), revision or kept


@lru_cache(maxsize=1)
def loaded(name: str, device: str, dtype: str, revision: str | None) -> Model:
    """Another model of a design; the last one stays, so that it is not loaded again to be run."""
    return load_model(name, device=device, dtype=dtype, revision=revision)


@lru_cache
def graph_of(name: str, device: str, dtype: str, revision: str | None) -> Graph:
    """Graph of another model of a design."""
    return loaded(name, device, dtype, revision).graph

"""What scores follow from: as a record for readers, and as the identity of what is kept."""

from dataclasses import asdict, replace
from importlib.metadata import version

from circuitvar.circuits.code_digest import code_digest
from circuitvar.circuits.kept import batch_digest
from circuitvar.circuits.model import Model
from circuitvar.circuits.types import Method, ScoreOptions
from circuitvar.tasks.types import Batch, Metric


def provenance(
    model: Model, batch: Batch, method: Method, metric: Metric, options: ScoreOptions, *, size: int
) -> dict[str, object]:
    """What the numbers are and where they come from, as plain values."""
    recorded = asdict(replace(options, means=None))
    del recorded["means"]
    recorded["edges"] = "all" if options.edges is None else len(options.edges)
    return {
        "method": method.key,
        "citation": method.citation,
        "unit": metric.unit if method.unit == "metric" else "native",
        "metric": metric.key,
        "sign": "damage: positive = patching the edge hurts the behaviour",
        "norm": "differentiated in full; exact patching recomputes it",
        "input_node": "token embedding",
        "options": recorded,
        "model": model.name,
        "model_digest": model.digest,
        "revision": model.revision,
        "device": model.device,
        "dtype": model.dtype,
        "examples": len(batch),
        "noise": None if batch.noise is None else asdict(batch.noise),
        "data_digest": batch_digest(batch),
        "batch_size": size,
        "edges": model.graph.n_edges,
        "versions": {name: version(name) for name in ("circuitvar", "torch", "transformers")},
    }


def scoring_identity(
    model: Model, batch: Batch, method: Method, metric: Metric, options: ScoreOptions
) -> dict[str, object]:
    """What scores follow from besides their own prompts and the model (`circuits.kept`)."""
    return {
        # An edited method or metric of the same name is another.
        "method": [method.key, code_digest(method.fn, metric.fn)],
        "metric": metric.key,
        "options": asdict(replace(options, means=None)),
        # Means are taken of all prompts.
        "means": batch_digest(batch) if options.means is not None else "",
    }

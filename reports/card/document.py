"""The stability card: an audit as one JSON document with a published schema.

A card carries every headline number at full precision, so that a reader can recompute its verdicts
(`verify`), a pipeline can compare two of them and a README can render one. Keys are sorted and
wall times kept apart: the same command with the same seed writes the same bytes outside `time`.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from circuitvar.audit.indices import CLASSES, classify
from circuitvar.audit.types import Audit, Axis, Component, Estimate, Verdict

FORMAT = 1
KIND = "circuitvar stability card"
SCHEMA_FILE = Path(__file__).parent / "schemas" / "card.schema.json"

TIME_FIELDS = (
    "started",
    "finished",
    "created",
    "seconds",
    "wall_seconds",
    "cpu_seconds",
    "peak_memory_mb",
)
"""Provenance that differs between two identical runs; kept apart from the rest of the card."""


def plain(value: Any) -> Any:
    """Any provenance value as JSON: numpy and paths unwrapped, NaN and infinity as null.

    >>> plain({"n": np.int64(3), "x": float("nan"), "p": Path("a/b")})
    {'n': 3, 'x': None, 'p': 'a/b'}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [plain(item) for item in items]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def estimate_entry(estimate: Estimate) -> dict[str, Any]:
    """An estimate without its draws."""
    names = "name value se low high level n interval estimand kind unit missing".split()
    return {name: plain(getattr(estimate, name)) for name in names}


def component_entry(component: Component) -> dict[str, Any]:
    return {
        "name": component.name,
        "layer": component.layer,
        "share": plain(component.share),
        "variance": estimate_entry(component.variance),
    }


def verdict_entry(verdict: Verdict) -> dict[str, Any]:
    return {
        name: plain(getattr(verdict, name))
        for name in ("claim", "bar", "outcome", "reason", "needed")
    }


def axis_entry(axis: Axis) -> dict[str, Any]:
    """One axis; `kept_by` says how many edges were kept by how many runs."""
    classes = classify(axis.inclusion)
    counts, edges = np.unique(np.rint(axis.inclusion * axis.runs).astype(int), return_counts=True)
    return {
        "key": axis.key,
        "title": axis.title,
        "unit": axis.unit,
        "runs": int(axis.runs),
        "phi": estimate_entry(axis.phi),
        "jaccard": estimate_entry(axis.jaccard),
        "jaccard_cv": plain(axis.jaccard_cv),
        "chance": plain(axis.chance),
        "sizes": plain(np.asarray(axis.sizes, dtype=float)),
        "classes": {name: int((classes == name).sum()) for name in CLASSES},
        "kept_by": [
            {"runs": int(count), "edges": int(n)} for count, n in zip(counts, edges, strict=True)
        ],
        "note": axis.note,
        "tied": int(axis.tied),
    }


def edges_entry(audit: Audit) -> dict[str, Any]:
    """Counts of edges by class, and the names of the core edges."""
    edges = audit.edges
    entry: dict[str, Any] = {"total": len(edges), "classes": {}, "core": []}
    if "class" in edges:
        classes = edges["class"].to_numpy(dtype=str)
        names, counts = np.unique(classes, return_counts=True)
        entry["classes"] = {str(k): int(n) for k, n in zip(names, counts, strict=True)}
        entry["core"] = edges["edge"].to_numpy(dtype=str)[classes == "core"].tolist()
    if "in_circuit" in edges:
        entry["in_circuit"] = int(edges["in_circuit"].to_numpy(dtype=bool).sum())
    return entry


def random_entry(audit: Audit) -> dict[str, Any]:
    """Faithfulness of the random circuits that one verdict compares with, and of the circuit
    itself on the same prompts; empty and null without them."""
    frame = audit.tables.get("random_circuits")
    if frame is None or not {"faithfulness", "own"} <= set(frame.columns) or frame.empty:
        return {"faithfulness": [], "own": None}
    random, own = (frame[name].to_numpy(dtype=float) for name in ("faithfulness", "own"))
    return {"faithfulness": plain(random), "own": plain(own[0])}


def checksum(entry: Any) -> str:
    """SHA-256 of the canonical JSON text (sorted keys, no spaces)."""
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def sealed(card: Mapping[str, Any]) -> dict[str, Any]:
    """The card with fresh checksums: one over the body, one over the times."""
    body = {key: value for key, value in card.items() if key not in ("time", "checksum")}
    times = {key: value for key, value in card.get("time", {}).items() if key != "checksum"}
    return {**body, "checksum": checksum(body), "time": {**times, "checksum": checksum(times)}}


def make_card(audit: Audit, *, seconds: float | None = None) -> dict[str, Any]:
    """The card of an audit as plain JSON values; `seconds` is the wall time of the whole run."""
    provenance = plain(audit.provenance)
    times = {key: value for key, value in provenance.items() if key in TIME_FIELDS}
    if seconds is not None:
        times["wall_seconds"] = plain(float(seconds))
    return sealed(
        {
            "format": FORMAT,
            "kind": KIND,
            "title": audit.title,
            "provenance": {k: v for k, v in provenance.items() if k not in TIME_FIELDS},
            "verdicts": [verdict_entry(verdict) for verdict in audit.verdicts],
            "axes": [axis_entry(axis) for axis in audit.axes],
            "estimates": [estimate_entry(estimate) for estimate in audit.estimates],
            "components": [component_entry(component) for component in audit.components],
            "edges": edges_entry(audit),
            "random_circuits": random_entry(audit),
            "time": times,
        }
    )


def card_text(card: Mapping[str, Any]) -> str:
    """JSON text with sorted keys; the same card, the same bytes."""
    return json.dumps(card, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def read_card(path: Path | str) -> dict[str, Any]:
    """A card from disk, checked against the schema.

    Raises
    ------
    ValueError
        When the file is not JSON, is another format number, or does not follow the schema.
    """
    path = Path(path)
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"cannot read the card {path}: {error.strerror}; pass the card.json of a run"
        ) from error
    except ValueError as error:
        raise ValueError(
            f"{path} is not a JSON file ({error}); pass the card.json of a run"
        ) from error
    check_schema(card, str(path))
    return card


def check_schema(card: Any, name: str = "card") -> None:
    """Raise ValueError unless `card` follows `schemas/card.schema.json`."""
    import jsonschema

    if isinstance(card, dict) and card.get("format") != FORMAT and card.get("kind") == KIND:
        raise ValueError(
            f"{name} has format {card.get('format')!r}; this version reads format {FORMAT}"
        )
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    errors = jsonschema.Draft202012Validator(schema).iter_errors(card)
    error = next(iter(sorted(errors, key=lambda e: list(map(str, e.absolute_path)))), None)
    if error is not None:
        where = "/".join(str(part) for part in error.absolute_path) or "the top level"
        raise ValueError(f"{name} is not a valid stability card: at {where}, {error.message[:300]}")

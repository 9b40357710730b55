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
from circuitvar.audit.types import Audit, Axis, Estimate, Verdict

FORMAT = 1
KIND = "circuitvar stability card"
SCHEMA_FILE = Path(__file__).parent / "schemas" / "card.schema.json"

TIME_FIELDS = tuple(
    "started finished created seconds wall_seconds cpu_seconds peak_memory_mb".split()
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
    return _picked(estimate, "name value se low high level n interval estimand kind unit missing")


def _picked(record: object, names: str) -> dict[str, Any]:
    return {name: plain(getattr(record, name)) for name in names.split()}


def verdict_entry(verdict: Verdict) -> dict[str, Any]:
    """A verdict without the numbers behind it."""
    return _picked(verdict, "claim bar outcome reason needed")


def class_counts(inclusion: np.ndarray) -> dict[str, int]:
    """How many edges are core, contingent and noise."""
    classes = classify(inclusion)
    return {name: int((classes == name).sum()) for name in CLASSES}


def axis_entry(axis: Axis) -> dict[str, Any]:
    """One axis; `kept_by` says how many edges were kept by how many runs."""
    return {
        **_picked(axis, "key title unit jaccard_cv chance note"),
        **{name: int(getattr(axis, name)) for name in ("runs", "tied")},
        **{name: estimate_entry(getattr(axis, name)) for name in ("phi", "jaccard")},
        "sizes": plain(np.asarray(axis.sizes, dtype=float)),
        "classes": class_counts(axis.inclusion),
        "kept_by": [
            {"runs": runs, "edges": edges}
            for runs, edges in kept_by(axis.inclusion, axis.runs).items()
        ],
    }


def kept_by(inclusion: np.ndarray, runs: int) -> dict[int, int]:
    """How many edges (values) were kept by how many of the runs (keys, rising)."""
    counts, edges = np.unique(np.rint(inclusion * runs).astype(int), return_counts=True)
    return dict(zip(counts.tolist(), edges.tolist(), strict=True))


def edges_entry(audit: Audit) -> dict[str, Any]:
    """Counts of edges by class, and the names of the core edges."""
    edges = audit.edges
    entry: dict[str, Any] = {"total": len(edges), "classes": {}, "core": []}
    if "class" in edges:
        classes = edges["class"].to_numpy(dtype=str)
        names, counts = np.unique(classes, return_counts=True)
        entry["classes"] = dict(zip(names.tolist(), counts.tolist(), strict=True))
        entry["core"] = edges["edge"].to_numpy(dtype=str)[classes == "core"].tolist()
    if "in_circuit" in edges:
        entry["in_circuit"] = int(edges["in_circuit"].to_numpy(dtype=bool).sum())
    return entry


def random_entry(audit: Audit) -> dict[str, Any]:
    """Faithfulness of random circuits and of the audited one (`own`) on the same prompts.

    One verdict compares them. Without them the list is empty and `own` null.
    """
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
            "components": [
                _picked(component, "name layer share")
                | {"variance": estimate_entry(component.variance)}
                for component in audit.components
            ],
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
    except (OSError, ValueError) as error:
        problem = f"{path} is not a JSON file ({error})"
        if isinstance(error, OSError):
            problem = f"cannot read the card {path}: {error.strerror}"
        raise ValueError(f"{problem}; pass the card.json of a run") from error
    check_schema(card, str(path))
    return card


def check_schema(card: Any, name: str = "card") -> None:
    """Check that `card` follows `schemas/card.schema.json`.

    Raises
    ------
    ValueError
        It does not, or has another format number; says where.
    """
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

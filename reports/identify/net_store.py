"""Counts of one net as a file, under a hash of everything that decides its numbers."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from circuitvar.audit.identifiability.count import NetOptions
from circuitvar.audit.identifiability.tables import Frames
from circuitvar.circuits.atomic import replacing

if TYPE_CHECKING:  # torch is slow to import
    from circuitvar.audit.identifiability.nets import Recipe

FORMAT = 2
LATER = ("criterion", "iia", "estimator")
"""Options that files of format 2 can do without: hashed only where they are set."""


def digest(
    gates: tuple[str, ...], net_seed: int, recipe: "Recipe", options: NetOptions, seed: int
) -> str:
    """Name of a net's file; other settings, another name."""
    default = asdict(NetOptions())
    chosen = {
        key: value
        for key, value in asdict(options).items()
        if key not in LATER or repr(value) != repr(default[key])
    }
    what = [FORMAT, gates, int(net_seed), asdict(recipe), chosen, seed]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:20]


def save(frames: Frames, path: Path) -> None:
    """Write the frames of one net; a stopped write leaves no file of that name."""
    text = json.dumps({k: f.to_dict(orient="split") for k, f in frames.items()})
    with replacing(path) as file:
        file.write(text.encode())


def load(path: Path) -> Frames:
    """Read them back."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {
        name: pd.DataFrame(part["data"], columns=part["columns"]) for name, part in stored.items()
    }


def join(parts: Sequence[Frames]) -> Frames:
    """One frame per table from those of many nets."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {
        name: pd.concat(
            [p[name] for p in parts if name in p and len(p[name])] or [pd.DataFrame()],
            ignore_index=True,
        )
        for name in names
    }

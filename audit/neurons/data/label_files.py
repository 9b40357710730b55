"""Read concept labels written by other tools, so that their labels can be audited.

The user brings activations and a concept matrix; a label file says which concept another tool
gave to which unit. Every reader returns a tidy frame: layer, unit, rank, concept, weight, score.
Layouts: CLIP-Dissect CSV, Linear-Explanations CSV, OpenAI neuron explainer JSON lines, delphi
(one JSON explanation per latent, optional score files). Words such as null and NA are words; a CSV
without a `layer` column holds one layer, named by the file.
"""

import json
import re
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from circuitvar.tasks.text_files import lines_of, read_text

COLUMNS = ["layer", "unit", "rank", "concept", "weight", "score"]


def read_clip_dissect(path: str | Path) -> pd.DataFrame:
    """CLIP-Dissect `layer,unit,description,similarity`: one label per unit."""
    table = _csv(path, ("unit", "description"))
    return _frame(
        layer=table["layer"],
        unit=table["unit"],
        rank=0,
        concept=table["description"],
        weight=1.0,
        score=_first_score(table, path, ("similarity", "sim correlation")),
    )


def read_linear_explanations(path: str | Path) -> pd.DataFrame:
    """Linear-Explanations `layer,unit,...,weight0,concept0,...,bias`: one row per used concept.

    Unused slots (weight 0, concept "0") are skipped. Explanations of maximal length may carry a
    wrong last concept, a defect of the released code; they are returned as written.
    """
    table = _csv(path, ("unit", "weight0", "concept0"))
    score = _first_score(table, path, ("sim correlation", "val correlation"))
    slots = [
        _frame(
            layer=table["layer"],
            unit=table["unit"],
            rank=int(column.removeprefix("concept")),
            concept=table[column],
            weight=_numbers(table, path, column.replace("concept", "weight")),
            score=score,
        )
        for column in table
        if re.fullmatch(r"concept\d+", column)
    ]
    joined = pd.concat(slots, ignore_index=True)
    used = joined.loc[joined["weight"] != 0, :]
    return used.sort_values(["layer", "unit", "rank"], ignore_index=True)


def read_openai_explanations(path: str | Path) -> pd.DataFrame:
    """OpenAI neuron explainer: JSON lines with `neuron_id` and `scored_explanations`.

    `path` is one file or a folder of `layer/neuron.jsonl` files. Score = ev_correlation_score.
    Further explanations of a neuron are alternatives, not terms of a sum: their weight is NaN.
    """
    rows = []
    for file in _files(path, "*.jsonl"):
        for record in _json_lines(file):
            try:
                layer, unit = _neuron_id(record["neuron_id"])
                entries = record["scored_explanations"]
            except (KeyError, TypeError):
                raise ValueError(
                    f"{file} has no neuron_id and scored_explanations; pass files written by the "
                    "neuron explainer."
                ) from None
            for rank, entry in enumerate(entries):
                score = (entry.get("scored_simulation") or {}).get("ev_correlation_score")
                value = float("nan") if score is None else float(score)
                weight = float("nan") if rank else 1.0
                rows.append((str(layer), unit, rank, entry["explanation"].strip(), weight, value))
    return pd.DataFrame(rows, columns=COLUMNS)


def read_delphi(path: str | Path, *, scores: str | Path | None = None) -> pd.DataFrame:
    """Explanations of delphi: files `<module>_latent<k>.txt` or `.json`, each one JSON value.

    `scores` is a folder of score files with the same names, JSON lists of examples with
    `activating` and `prediction`; the score is their balanced accuracy. Examples without a
    prediction are left out.
    """
    rows = []
    for file in _files(path, "*latent*"):
        module, _, latent = file.stem.rpartition("latent")
        if file.suffix not in (".txt", ".json") or not latent.isdigit():
            continue
        layer = module.rstrip("_")
        text = _json(file)
        if isinstance(text, dict):
            text = text.get("explanation", "")
        matches = sorted(Path(scores).glob(f"{file.stem}.*")) if scores is not None else []
        score = _balanced_accuracy(_json(matches[0]), matches[0]) if matches else float("nan")
        rows.append((layer, int(latent), 0, str(text).strip(), 1.0, score))
    if not rows:
        raise ValueError(f"{path} holds no '<module>_latent<k>' explanation files.")
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(["layer", "unit"], ignore_index=True)


READERS: dict[str, Callable[..., pd.DataFrame]] = {
    "clip-dissect": read_clip_dissect,
    "linear-explanations": read_linear_explanations,
    "openai": read_openai_explanations,
    "delphi": read_delphi,
}
"""Layout of a label file -> its reader."""


def label_columns(
    labels: pd.DataFrame, units: Sequence[int], names: Sequence[str], *, layer: str | None = None
) -> Int[np.ndarray, " unit"]:
    """Concept column of each unit's first label, -1 where the file or the matrix lacks it.

    Names are matched after lower-casing and trimming.

    >>> frame = pd.DataFrame([("l", 3, 0, "Red", 1.0, 0.5)], columns=COLUMNS)
    >>> label_columns(frame, [3, 4], ["blue", "red"]).tolist()
    [1, -1]
    """
    first = labels.loc[labels["rank"] == 0, :]
    layers = sorted(set(first["layer"]))
    if layer is None and len(layers) > 1:
        raise ValueError(f"the label file has layers {', '.join(layers)}; pass layer=.")
    if layer is not None:
        first = first.loc[first["layer"] == layer, :]
    twice = first.loc[first.duplicated("unit"), "unit"]
    if len(twice):
        given = ", ".join(map(repr, first.loc[first["unit"] == twice.iloc[0], "concept"]))
        raise ValueError(
            f"unit {twice.iloc[0]} is labelled more than once ({given}); keep one label per unit"
        )
    column = {name.strip().lower(): i for i, name in enumerate(names)}
    of = dict(zip(first["unit"], first["concept"], strict=True))
    return np.array([column.get(str(of.get(u, "")).strip().lower(), -1) for u in units])


def _csv(path: str | Path, needed: Sequence[str]) -> Any:
    table = pd.read_csv(StringIO(read_text(path)), dtype=str, keep_default_na=False)
    lacking = [name for name in needed if name not in table]
    if lacking:
        raise ValueError(f"{path} lacks the columns {', '.join(lacking)}; is it another layout?")
    if "layer" not in table:
        table["layer"] = Path(path).stem
    table["unit"] = _numbers(table, path, "unit").astype(int)
    return table


def _numbers(table: pd.DataFrame, path: str | Path, column: str) -> pd.Series:
    """A column as numbers; empty cells are NaN."""
    numbers = pd.Series(pd.to_numeric(table[column].replace("", "nan"), errors="coerce"))
    wrong = numbers.isna() & ~table[column].str.strip().str.lower().isin(("", "nan"))
    if wrong.any() or (column == "unit" and numbers.isna().any()):
        row = int(np.flatnonzero(wrong | numbers.isna())[0])
        raise ValueError(
            f"{path}: row {row + 1}, column {column!r} holds {table[column].iloc[row]!r}, "
            "which is not a number"
        )
    return numbers


def _first_score(table: pd.DataFrame, path: str | Path, names: Sequence[str]) -> pd.Series:
    """The first of the score columns that the file has, else NaN."""
    found = next((name for name in names if name in table), None)
    return pd.Series(np.nan, table.index) if found is None else _numbers(table, path, found)


def _frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns, columns=COLUMNS).reset_index(drop=True)


def _files(path: str | Path, pattern: str) -> list[Path]:
    root = Path(path)
    if root.is_file():
        return [root]
    files = sorted(f for f in root.rglob(pattern) if f.is_file())
    if not files:
        raise ValueError(f"{path} is neither a file nor a folder with {pattern} files.")
    return files


def _json(file: Path):
    try:
        return json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file} is not valid JSON: {error.msg}.") from None


def _json_lines(file: Path) -> list:
    lines = [line for line in lines_of(read_text(file)) if line.strip()]
    try:
        return [json.loads(line) for line in lines]
    except json.JSONDecodeError:
        return [_json(file)]


def _neuron_id(value) -> tuple[int, int]:
    if isinstance(value, dict):
        return int(value["layer_index"]), int(value["neuron_index"])
    layer, unit = value
    return int(layer), int(unit)


def _balanced_accuracy(examples, file: Path) -> float:
    if not isinstance(examples, list):
        raise ValueError(f"{file} is not a list of scored examples.")
    right: dict[bool, list[bool]] = {True: [], False: []}
    for example in examples:
        if (guess := example.get("prediction")) is not None:
            truth = bool(example["activating"])
            right[truth].append((float(guess) >= 0.5) == truth)
    if not all(right.values()):
        return float("nan")
    return sum(sum(said) / len(said) for said in right.values()) / 2

"""Is a stability card what it says? Recompute what can be recomputed from its own numbers.

Three layers: the checksum catches any edit made without resealing; cross-checks catch numbers that
contradict each other; and every verdict is judged again by the rule of `audit.claims`. With the
run folder beside the card, its tables must say the same. A forger who changes everything
consistently is not caught: a card is evidence of care, not of honesty.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from circuitvar.audit.agreement import MATCHED
from circuitvar.audit.indices import mean_chance
from circuitvar.audit.single import claims
from circuitvar.audit.types import Axis
from circuitvar.audit.verdicts import Bars
from circuitvar.reports.card import (
    TOLERANCE,
    Check,
    check_schema,
    class_counts,
    foreign_files,
    kept_by,
    read_card,
    read_estimate,
    read_manifest,
    same,
    sealed,
    verdict_entry,
)
from circuitvar.reports.page import joined_checks
from circuitvar.reports.verify.scores import heldout_checks, read_settings, score_checks


def verify_card(card: Mapping[str, Any]) -> tuple[Check, ...]:
    """Check a card against its schema (refused where it does not follow it), and itself."""
    check_schema(dict(card))
    total = card["edges"]["total"]
    return (
        _checksums(card),
        *(check for entry in card["axes"] for check in axis_checks(entry, total)),
        *(estimate_check(entry) for entry in card["estimates"]),
        _edge_counts(card),
        _component_shares(card),
        verdict_check(card),
    )


def verify_report(path: Path | str) -> tuple[Check, ...]:
    """Check a card file, and the tables beside it where they are.

    Raises
    ------
    ValueError
        The file is not a readable card.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "card.json"
    card = read_card(path)
    return (
        *verify_card(card),
        *_manifest_checks(path.parent),
        *folder_checks(card, path.parent),
        *heldout_checks(card, path.parent),
        *score_checks(card, path.parent),
        *joined_checks(path.parent),
    )


def _manifest_checks(folder: Path) -> list[Check]:
    """Every file of the folder is what the report was written with; nothing without a manifest."""
    if not read_manifest(folder):
        return []
    wrong = foreign_files(folder)
    return [Check("files of one report", f"differ: {', '.join(wrong)}" if wrong else "")]


def read_axis(entry: Mapping[str, Any]) -> Axis:
    """A card's axis; inclusion frequencies in no particular order of edges."""
    inclusion = [
        np.full(row["edges"], row["runs"] / entry["runs"], dtype=np.float64)
        for row in entry["kept_by"]
    ]
    return Axis(
        key=entry["key"],
        title=entry["title"],
        unit=entry["unit"],
        runs=entry["runs"],
        phi=read_estimate(entry["phi"], unit=entry["unit"]),
        jaccard=read_estimate(entry["jaccard"], unit=entry["unit"]),
        jaccard_cv=math.nan if entry["jaccard_cv"] is None else entry["jaccard_cv"],
        chance=math.nan if entry["chance"] is None else entry["chance"],
        inclusion=np.concatenate(inclusion) if inclusion else np.empty(0),
        sizes=np.asarray(entry["sizes"], dtype=np.float64),
        note=entry["note"],
        tied=entry.get("tied", 0),
    )


def _checksums(card: Mapping[str, Any]) -> Check:
    fresh, wrong = sealed(card), []
    if fresh["checksum"] != card["checksum"]:
        wrong.append("the card")
    if fresh["time"]["checksum"] != card["time"]["checksum"]:
        wrong.append("its times")
    return Check("checksum", f"{' and '.join(wrong)} changed" if wrong else "")


def estimate_check(entry: Mapping[str, Any], *, name: str = "") -> Check:
    """An interval must hold together: its low end is not above its high end."""
    found = read_estimate(entry)
    crossed = found.low > found.high + TOLERANCE
    detail = f"low {found.low:g} is above high {found.high:g}" if crossed else ""
    return Check(f"interval of {name or found.name}", detail)


def axis_checks(entry: Mapping[str, Any], n_edges: int) -> list[Check]:
    """Whether counts, sizes, classes, chance and phi of one axis agree with each other."""
    axis, name = read_axis(entry), entry["title"]
    problems = []
    if axis.inclusion.size != n_edges:
        problems.append(f"kept_by counts {axis.inclusion.size} of {n_edges} edges")
    if len(axis.sizes) != axis.runs:
        problems.append(f"{len(axis.sizes)} sizes for {axis.runs} runs")
    kept = sum(row["runs"] * row["edges"] for row in entry["kept_by"])
    if not same(float(kept), float(axis.sizes.sum())):
        problems.append(f"sizes sum to {axis.sizes.sum():g}, kept_by to {kept}")
    if class_counts(axis.inclusion) != entry["classes"]:
        problems.append("the edge classes do not follow from kept_by")
    return [
        estimate_check(entry["phi"], name=f"phi: {name}"),
        estimate_check(entry["jaccard"], name=f"Jaccard: {name}"),
        Check(f"counts: {name}", "; ".join(problems)),
        _chance_check(axis, n_edges),
        *_phi_check(axis),
    ]


def _chance_check(axis: Axis, n_edges: int) -> Check:
    name, detail = f"chance Jaccard: {axis.title}", ""
    if axis.runs < 2:
        return Check(name)
    try:
        chance = mean_chance(axis.sizes.astype(np.int64), n_edges)
        if axis.key == MATCHED:
            # Its chance level is that of the same matching on shuffled scores, which sizes alone
            # cannot give; matching can only raise it.
            if not chance <= axis.chance <= 1:
                detail = f"{axis.chance!r} is not between {chance!r} and 1"
        elif not same(chance, axis.chance):
            detail = f"{axis.chance!r}, but sizes give {chance!r}"
    except ValueError as error:
        detail = str(error)
    return Check(name, detail)


def _phi_check(axis: Axis) -> list[Check]:
    """Phi follows from the counts, except over halves, where it is a mean over pairs."""
    share = axis.inclusion.mean() if axis.inclusion.size else 0.0
    if axis.key.startswith("halves") or axis.runs < 2 or not 0 < share < 1:
        return []
    spread = float((axis.inclusion * (1 - axis.inclusion)).mean()) * axis.runs / (axis.runs - 1)
    value = 1 - spread / (share * (1 - share))
    detail = "" if same(value, axis.phi.value) else f"{axis.phi.value!r}, but counts give {value!r}"
    return [Check(f"phi: {axis.title}", detail)]


def _edge_counts(card: Mapping[str, Any]) -> Check:
    edges, problems = card["edges"], []
    if edges["classes"]:
        if sum(edges["classes"].values()) != edges["total"]:
            problems.append(f"classes do not sum to {edges['total']} edges")
        if edges["classes"].get("core", 0) != len(edges["core"]):
            problems.append("the list of core edges has another length than their count")
    return Check("edge counts", "; ".join(problems))


def _component_shares(card: Mapping[str, Any]) -> Check:
    bad = [c["name"] for c in card["components"] if c["share"] is not None and c["share"] > 1]
    return Check("variance shares", f"above 1: {', '.join(bad)}" if bad else "")


def recomputed_verdicts(card: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The verdicts that the card's numbers and bars give; None when it records no bars."""
    provenance = card["provenance"]
    bars = provenance.get("bars")
    if not isinstance(bars, Mapping):
        return None
    again = claims(
        tuple(read_axis(entry) for entry in card["axes"]),
        tuple(read_estimate(entry) for entry in card["estimates"]),
        random=np.array(card["random_circuits"]["faithfulness"], dtype=np.float64),
        own=float(card["random_circuits"]["own"]),
        method=str(provenance.get("method", "")),
        bars=Bars(**bars),
        level=read_settings(card).confidence,
        size=card["edges"].get("in_circuit"),
    )
    return [verdict_entry(verdict) for verdict in again]


def verdict_check(card: Mapping[str, Any]) -> Check:
    """Every verdict, judged again."""
    try:
        again = recomputed_verdicts(card)
    except (KeyError, TypeError, ValueError) as error:
        return Check("verdicts", f"cannot be recomputed: {error}")
    if again is None:
        detail = "cannot be recomputed: the card does not record its bars"
        return Check("verdicts", detail if card["verdicts"] else "")
    if len(again) != len(card["verdicts"]):
        return Check("verdicts", f"{len(card['verdicts'])} written, {len(again)} follow")
    wrong = [
        f"{new['claim']} ({new['bar']}): written {old['outcome']!r} ({old['reason']}), "
        f"follows {new['outcome']!r} ({new['reason']})"
        for old, new in zip(card["verdicts"], again, strict=True)
        if old != new
    ]
    return Check("verdicts", "; ".join(wrong))


def folder_checks(card: Mapping[str, Any], folder: Path) -> list[Check]:
    """Whether the tables of the run folder say what its card says; a missing table passes."""
    return [
        check(card, pd.read_csv(folder / name))
        for name, check in (("stability.csv", _stability_table), ("edges.csv", _edge_table))
        if (folder / name).exists()
    ]


def _stability_table(card: Mapping[str, Any], frame: pd.DataFrame) -> Check:
    wrong = []
    rows = {row["axis"]: row for row in frame.to_dict("records")}
    for entry in card["axes"]:
        row = rows.get(entry["key"])
        if row is None:
            wrong.append(f"no row {entry['key']}")
            continue
        for name in ("phi", "jaccard"):
            found = read_estimate(entry[name])
            for column, value in ((name, found.value), (f"{name}_se", found.se)):
                if not same(float(row[column]), value):
                    wrong.append(f"{column} of {entry['key']}")
    return Check("stability.csv", f"differs in {', '.join(wrong)}" if wrong else "")


def _edge_table(card: Mapping[str, Any], frame: pd.DataFrame) -> Check:
    wrong = [] if len(frame) == card["edges"]["total"] else ["the number of edges"]
    for entry in card["axes"]:
        column = f"inclusion_{entry['key']}"
        if column in frame:
            found = kept_by(frame[column].to_numpy(dtype=float), entry["runs"])
            if found != {row["runs"]: row["edges"] for row in entry["kept_by"]}:
                wrong.append(column)
    return Check("edges.csv", f"differs in {', '.join(wrong)}" if wrong else "")

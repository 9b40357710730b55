"""Gates, criterion, ablation and estimator as typed on the command line, and in words."""

from collections.abc import Sequence
from typing import cast

import pandas as pd

from circuitvar.audit.identifiability import nets
from circuitvar.audit.identifiability.count import NetOptions
from circuitvar.tasks.lookup import unknown

CRITERIA = ("label", "threshold", "delta", "iia")


def net_options(
    *,
    criterion: str | None = None,
    delta: float | None = None,
    ablations: Sequence[str] = (),
    estimator: str | None = None,
    draws: int | None = None,
) -> NetOptions:
    """Options with what was given; the rest as when nothing is.

    `iia` is the label criterion plus an interchange agreement of 1; its ablations are zero and
    mean, since interchange ablation has pairs of inputs for rows already.

    Raises
    ------
    ValueError
        An unknown name, or delta without its criterion or the other way round.

    >>> net_options() == NetOptions()
    True
    >>> net_options(criterion="delta", delta=0.05, ablations=["mean"]).title
    'within 0.05 of the net (pre-activation)'
    """
    default = NetOptions()
    key = criterion or "label"
    for what, given, known in (
        ("criterion", [key], CRITERIA),
        ("ablation", ablations, nets.NET_ABLATIONS),
        ("estimator", [estimator or "auto"], nets.ESTIMATORS),
    ):
        for name in given:
            if name not in known:
                raise unknown(what, name, known)
    if (key == "delta") != (delta is not None):
        raise ValueError(
            "--criterion delta and --delta go together: give both (e.g. --criterion delta "
            "--delta 0.05) or neither"
        )
    box = nets.Criterion("delta", delta) if delta is not None else nets.Criterion()
    kinds = tuple(dict.fromkeys(ablations)) or (
        ("zero", "mean") if key == "iia" else default.ablations
    )
    return NetOptions(
        ablations=cast(tuple[nets.NetAblation, ...], kinds),
        criterion=nets.Criterion("threshold") if key == "threshold" else box,
        iia=key == "iia",
        estimator=cast(nets.Estimator, estimator or "auto"),
        draws=default.draws if draws is None else draws,
    )


def as_table(gate: str) -> str | list[int]:
    """A name as it is; digits as the truth table they spell, rows in counting order.

    Whether the name is known and the digits are 0 and 1 is checked where the table is used.

    >>> as_table("xor"), as_table("0110")
    ('xor', [0, 1, 1, 0])
    """
    return [int(digit) for digit in gate] if gate.isdecimal() else gate


def main_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that sentences and figures are about: zero ablation, or the first there is.

    Where rows name quantity and criterion, only the criterion of the valid circuits.
    """
    if frame.empty:
        return frame
    kinds = list(dict.fromkeys(frame["ablation"]))
    keep = frame["ablation"] == ("zero" if "zero" in kinds else kinds[0])
    if {"quantity", "criterion"} <= set(frame.columns):
        valid = frame.loc[frame["quantity"] == "valid circuits", "criterion"]
        if len(valid):
            keep &= frame["criterion"] == valid.iloc[0]
    return frame.loc[keep]


def settings_columns(options: NetOptions) -> dict[str, str]:
    """What tables have to say about how circuits were judged and counted.

    Empty for the label criterion, counted exactly where that is feasible: then every row that
    depends on it says so by itself.
    """
    default = NetOptions()
    if options.title == default.title and options.estimator == default.estimator:
        return {}
    return {"criterion": options.title, "estimator": options.estimator}


def settings_sentence(options: NetOptions) -> str:
    """The same for a report page; empty when there is nothing to say."""
    if not settings_columns(options):
        return ""
    kinds = ", ".join(options.ablations)
    draws = "" if options.estimator == "exact" else f" ({options.draws:,} draws where it samples)"
    return (
        f"A circuit is valid by the criterion '{options.title}' under {kinds} ablation; "
        f"estimator {options.estimator}{draws}."
    )

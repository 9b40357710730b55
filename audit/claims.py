"""The claims an audit judges, each from numbers that stand beside it in the report."""

import numpy as np
from jaxtyping import Float

from circuitvar.audit.beats_random import NULL
from circuitvar.audit.types import Axis, Estimate, Verdict
from circuitvar.audit.verdict import (
    Bars,
    agreement_verdict,
    judge,
    random_verdict,
    stability_verdicts,
)


def claims(
    axes: tuple[Axis, ...],
    estimates: tuple[Estimate, ...],
    random: Float[np.ndarray, " draw"],
    *,
    method: str,
    bars: Bars,
    level: float,
) -> tuple[Verdict, ...]:
    """Verdicts in the order a reader asks: stable? faithful? better than random? exact?"""
    found = {estimate.name: estimate for estimate in estimates}
    verdicts = [verdict for axis in axes for verdict in stability_verdicts(axis, bars=bars)]
    faithfulness = found["faithfulness"]
    verdicts.append(
        judge(
            "The circuit reproduces the behaviour on held-out prompts",
            faithfulness,
            bars.faithfulness,
            bar_text=f"faithfulness > {bars.faithfulness:.2f}",
            unit="held-out prompt",
        )
    )
    verdicts.append(random_verdict(faithfulness.value, random, null=NULL, bars=bars, level=level))
    if "rank correlation with exact" in found and method != "exact":
        verdicts.append(
            agreement_verdict(
                found["rank correlation with exact"],
                first=method,
                second="exact patching",
                bars=bars,
            )
        )
    return tuple(verdicts)

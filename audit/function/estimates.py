"""What the model and the circuit do, as estimates: accuracy, gap, faithfulness, error, KL."""

import numpy as np

from circuitvar.audit.intervals import ratio_of_means, share_estimate
from circuitvar.audit.types import Estimate
from circuitvar.circuits.intervals import t_quantile
from circuitvar.circuits.scores import Behaviour
from circuitvar.circuits.types import Faithfulness


def behaviour_estimates(behaviour: Behaviour) -> tuple[Estimate, ...]:
    """Does the full model do the task? Held-out accuracy and the clean-corrupt metric gap."""
    half = (behaviour.high - behaviour.low) / 2
    quantile = t_quantile(max(behaviour.n_units - 1, 1), behaviour.level)
    return (
        share_estimate(
            "accuracy of the full model",
            behaviour.right,
            templates=behaviour.templates,
            level=behaviour.level,
            estimand="share of held-out prompts where the right answer beats the wrong one",
        ),
        Estimate(
            "clean-corrupt gap",
            behaviour.gap,
            se=half / quantile,
            low=behaviour.low,
            high=behaviour.high,
            level=behaviour.level,
            n=behaviour.n_units,
            interval=f"t over {behaviour.over}s",
            kind="t",
            unit=behaviour.over,
            estimand=f"damage of corrupting the whole prompt, mean over prompts, {behaviour.unit}",
        ),
    )


def function_estimates(run: Faithfulness, *, level: float = 0.95) -> tuple[Estimate, ...]:
    """Estimates of one circuit on held-out prompts.

    Faithfulness is (m(C) - m(empty)) / (m(full) - m(empty)), ratio of means (MIB, arXiv
    2504.13151) and mean of ratios (Miller et al., arXiv 2407.08734); they differ when some
    prompts have a small gap, which the mean of ratios cannot survive. Circuit error is the share
    of prompts whose predicted token differs from the full model's.
    """
    gap = run.full - run.empty
    gain = run.circuit - run.empty
    common = {"templates": run.templates, "level": level}
    kept = np.abs(gap) > 0
    ratios = np.divide(gain, gap, out=np.full(gap.shape, np.nan), where=kept)
    kept_templates = tuple(t for t, keep in zip(run.templates, kept, strict=True) if keep)
    return (
        ratio_of_means(
            "faithfulness",
            gain,
            gap,
            estimand=f"share of the clean-corrupt {run.metric} gap kept by the circuit",
            **common,
        ),
        ratio_of_means(
            "faithfulness (mean of ratios)",
            ratios[kept],
            templates=kept_templates,
            level=level,
            estimand="per-prompt faithfulness, averaged",
        ),
        share_estimate(
            "circuit error",
            run.flipped,
            estimand="share of prompts whose prediction differs from the full model's",
            **common,
        ),
        share_estimate(
            "circuit accuracy",
            run.correct,
            estimand="share of prompts where the circuit prefers the right answer",
            **common,
        ),
        ratio_of_means(
            "KL to the full model",
            run.kl,
            bounds=(0.0, np.inf),
            estimand="nats, next-token distribution",
            **common,
        ),
    )

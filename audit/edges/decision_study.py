"""What another design would give: standard errors and reliability at other sample sizes (D-study).

Generalisability theory: components are estimated once and recombined. Templates, not prompts, buy
precision when templates differ.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from jaxtyping import Float

Component = float | Float[np.ndarray, " edge"]


def mean_se(
    template: Component, prompt: Component, draw: Component = 0.0, *, sizes: tuple[int, int, int]
):
    """SE of a mean score with T templates x P prompts x R draws.

    sqrt(var_t/T + var_p/(T P) + var_e/(T P R)). Negative components count as 0.

    >>> round(float(mean_se(0.5, 1.0, 2.0, sizes=(48, 10, 2))), 3)
    0.121
    """
    t, p, r = sizes
    if min(sizes) < 1:
        raise ValueError(f"sizes are {sizes}; each of templates, prompts and draws is 1 or more")
    parts = [np.maximum(part, 0.0) for part in (template, prompt, draw)]
    return np.sqrt(parts[0] / t + parts[1] / (t * p) + parts[2] / (t * p * r))


def decision_table(
    template: Component,
    prompt: Component,
    draw: Component = 0.0,
    *,
    designs: Iterable[tuple[int, int]],
    draws: int = 1,
) -> pd.DataFrame:
    """One row per (templates, prompts per template): prompts in total and the SE of a mean score.

    The median over edges where components are arrays.

    >>> decision_table(0.5, 1.0, designs=[(12, 100), (48, 10)]).round(3).to_dict("list")["se"]
    [0.206, 0.112]
    """
    rows = []
    for templates, prompts in designs:
        se = mean_se(template, prompt, draw, sizes=(templates, prompts, draws))
        rows.append((templates, prompts, templates * prompts, float(np.median(se))))
    return pd.DataFrame(rows, columns=["templates", "prompts_per_template", "prompts", "se"])

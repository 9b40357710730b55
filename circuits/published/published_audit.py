"""Does a claimed circuit hold up? The questions of an audit of a published circuit, as tables.

Other templates, other corruptions, held-out names: each is a batch of its own. Is it better than
random circuits of its size? How much of it does rediscovery find again?
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.circuits.evaluate import compare, completeness, evaluate, evaluate_masks, summarize
from circuitvar.circuits.find import top_n, top_n_masks
from circuitvar.circuits.published.published import Published
from circuitvar.circuits.types import Ablation, Circuit
from circuitvar.tasks.types import Batch, Metric

if TYPE_CHECKING:
    from circuitvar.circuits.model import Model


def conditions_table(
    model: "Model",
    circuit: Circuit,
    batches: Mapping[str, Batch],
    *,
    metric: Metric | str,
    ablations: tuple[Ablation, ...] = ("patching",),
) -> pd.DataFrame:
    """One row per condition and ablation: `summarize`, and what the complement retains.

    `complement` is the faithfulness of the model without the circuit; near 0 when the circuit is
    complete. Ablations are never pooled.
    """
    rows = []
    for condition, batch in batches.items():
        for ablation in ablations:
            inside = evaluate(model, circuit, batch, metric=metric, ablation=ablation)
            outside = completeness(model, circuit, batch, metric=metric, ablation=ablation)
            rows.append(
                {
                    "condition": condition,
                    "ablation": ablation,
                    **summarize(inside),
                    "complement": outside.value,
                    **{f"choice: {name}": value for name, value in inside.choices.items()},
                }
            )
    return pd.DataFrame(rows)


def rediscovery_table(
    model: "Model",
    circuit: Circuit,
    scores: Mapping[str, Float[np.ndarray, " edge"]],
    *,
    heldout: Batch | None = None,
    metric: Metric | str = "logit_diff",
) -> pd.DataFrame:
    """One row per method: overlap of the circuit with the method's equally large top-n.

    With `heldout` prompts, also the faithfulness of both on them: `faithfulness` of the circuit,
    `faithfulness_found` of the method's top-n, dangling edges removed.
    """
    rows = []
    for method, values in scores.items():
        largest = top_n_masks(values[None], int(circuit.kept.sum()))[0]
        row = {"method": method, **asdict(compare(model.graph, circuit.kept, largest))}
        if heldout is not None:
            found = top_n(model.graph, values, circuit.size)
            masks = np.stack([circuit.kept, found.kept])
            own, other = evaluate_masks(model, masks, heldout, metric=metric)
            row |= {"faithfulness": own.value, "faithfulness_found": other.value}
        rows.append(row)
    return pd.DataFrame(rows)


def role_recall(
    published: Published, scores: Float[np.ndarray, " edge"], *, quantile: float = 0.9
) -> pd.DataFrame:
    """Per role, the share of its nodes that rediscovery puts among the strongest.

    A node's strength is the sum of |score| over the edges it writes; `strong` nodes are above the
    `quantile` of all heads and MLPs. One row per role: role, nodes, found, share, missing.
    """
    graph = published.graph
    strength = np.bincount(graph.edge_src, np.abs(scores), minlength=len(graph.sources))
    strong = strength > np.quantile(strength[1:], quantile)
    rows = []
    for role, nodes in published.roles.items():
        missing = [node for node in nodes if not strong[graph.source_index[node]]]
        found = len(nodes) - len(missing)
        rows.append((role, len(nodes), found, found / len(nodes), " ".join(missing)))
    return pd.DataFrame(rows, columns=["role", "nodes", "found", "share", "missing"])

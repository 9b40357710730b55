"""Is the circuit better than circuits of its size drawn at random?"""

import numpy as np
from jaxtyping import Float

from circuitvar.audit.streams import stream
from circuitvar.circuits.evaluate import evaluate_masks, random_connected
from circuitvar.circuits.model import Model
from circuitvar.circuits.types import Ablation, Circuit
from circuitvar.tasks.types import Batch, Metric

NULL = "random connected circuits of the same size"


def random_faithfulness(
    model: Model,
    circuit: Circuit,
    batch: Batch,
    *,
    metric: Metric,
    draws: int,
    ablation: Ablation = "patching",
    seed: int = 0,
) -> Float[np.ndarray, " draw"]:
    """Faithfulness (ratio of means) of random connected circuits as large as `circuit`.

    Random edges would mostly dangle, so the null is connected (as in Shi et al., arXiv
    2410.13032), grown from random paths to exactly the same size.
    """
    masks = random_connected(
        circuit.graph, max(circuit.size, 1), draws, rng=stream(seed, "random circuits")
    )
    runs = evaluate_masks(model, np.stack(list(masks)), batch, metric=metric, ablation=ablation)
    return np.array([run.value for run in runs])

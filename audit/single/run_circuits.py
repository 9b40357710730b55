"""What the discovered circuit does when it is run.

On held-out prompts, against random circuits, and against the circuits of single templates.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from circuitvar.audit.function import FunctionMatrix, random_faithfulness, template_matrix
from circuitvar.audit.resampling import template_means
from circuitvar.audit.runs import Runs
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.discovered import run_discovered
from circuitvar.circuits.evaluate import evaluate, evaluate_circuits
from circuitvar.circuits.find import top_n
from circuitvar.circuits.types import Circuit, Faithfulness
from circuitvar.tasks.tokens import take
from circuitvar.tasks.units import use_templates

RANDOM_PROMPTS = 50
"""Held-out prompts on which random circuits are run."""


@dataclass(frozen=True, eq=False)
class CircuitRuns:
    """A circuit and the runs its functional claims rest on."""

    circuit: Circuit
    heldout: Faithfulness
    random: Float[np.ndarray, " draw"]
    """Faithfulness of random connected circuits of the same size."""
    own_on_random_prompts: float
    """Faithfulness of the circuit on the prompts that random circuits were run on."""
    transfer: FunctionMatrix | None
    """None where there are too few templates."""
    discoveries: Mapping[str, pd.DataFrame]
    """Tables of what circuits do that were found under perturbations."""


def run_circuits(runs: Runs, settings: Settings, size: int) -> CircuitRuns:
    """Select the circuit and run everything that needs the model."""
    model, scores = runs.bench.model, runs.scores
    options = {"metric": runs.bench.metric_of(runs.audited.key), "ablation": settings.ablation}
    circuit = top_n(model.graph, scores.mean, size, signed=settings.signed)
    few = take(runs.heldout, slice(0, RANDOM_PROMPTS))
    random = random_faithfulness(
        model, circuit, few, draws=settings.random, seed=settings.seed, **options
    )
    by_template, transfer = {}, None
    if use_templates(scores.templates) is not None:
        means, names = template_means(scores.values, scores.templates)
        circuits = [top_n(model.graph, row, size, signed=settings.signed) for row in means]
        found = evaluate_circuits(model, circuits, runs.heldout, **options)
        every = dict(zip(names, found, strict=True))
        transfer = template_matrix(every, null=random, level=settings.confidence)
        by_template = {name: every[name] for name in transfer.circuits}
    return CircuitRuns(
        circuit=circuit,
        heldout=evaluate(model, circuit, runs.heldout, **options),
        random=random,
        own_on_random_prompts=evaluate(model, circuit, few, **options).value,
        transfer=transfer,
        discoveries=run_discovered(runs, settings, size, templates=by_template),
    )

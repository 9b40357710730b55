"""What the discovered circuit does when it is run.

On held-out prompts, against random circuits, and against the circuits of single templates.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuitvar.audit.function import FunctionMatrix, random_faithfulness, template_matrix
from circuitvar.audit.resampling import template_means
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.collect import Collected
from circuitvar.audit.single.discovered import Discoveries, run_discovered
from circuitvar.circuits.evaluate import evaluate, evaluate_circuits
from circuitvar.circuits.find import top_n
from circuitvar.circuits.model import Model
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
    discoveries: Discoveries
    """Circuits that were found under perturbations."""


def run_circuits(
    model: Model,
    collected: Collected,
    settings: Settings,
    size: int,
    *,
    seed_models: tuple[Model, ...] = (),
) -> CircuitRuns:
    """Select the circuit and run everything that needs the model."""
    options = {"metric": collected.metric, "ablation": settings.ablation}
    circuit = top_n(model.graph, collected.scores.mean, size, signed=settings.signed)
    few = take(collected.heldout, slice(0, RANDOM_PROMPTS))
    random = random_faithfulness(
        model, circuit, few, draws=settings.random, seed=settings.seed, **options
    )
    by_template, transfer = {}, None
    if use_templates(collected.scores.templates) is not None:
        means, names = template_means(collected.scores.values, collected.scores.templates)
        circuits = [top_n(model.graph, row, size, signed=settings.signed) for row in means]
        found = evaluate_circuits(model, circuits, collected.heldout, **options)
        every = dict(zip(names, found, strict=True))
        transfer = template_matrix(every, null=random, level=settings.confidence)
        by_template = {name: every[name] for name in transfer.circuits}
    return CircuitRuns(
        circuit=circuit,
        heldout=evaluate(model, circuit, collected.heldout, **options),
        random=random,
        own_on_random_prompts=evaluate(model, circuit, few, **options).value,
        transfer=transfer,
        discoveries=run_discovered(
            model, collected, settings, size, seed_models=seed_models, templates=by_template
        ),
    )

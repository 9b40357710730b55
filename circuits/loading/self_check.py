"""Does this package compute a model rightly? Five checks on random tokens, a second on a CPU.

`load_model` runs the first for every model and all of them for architectures that the tests do
not cover; `circuitvar doctor` prints them. A model that fails is refused with the residual.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from circuitvar.circuits.gradients import frozen, plain_run, point
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.methods.gradient import eap
from circuitvar.circuits.methods.patching import node_damage
from circuitvar.circuits.model import (
    LOGIT_TOLERANCE,
    Trace,
    at_last,
    differences,
    logit_residual,
    max_positions,
    metric_at,
    writes,
)
from circuitvar.circuits.types import ScoreOptions
from circuitvar.tasks.types import Batch, Metric

if TYPE_CHECKING:
    from circuitvar.circuits.model import Model


@dataclass(frozen=True)
class Check:
    """One property, the residual measured and the bar it must stay under."""

    name: str
    residual: float
    bar: float
    meaning: str

    @property
    def passed(self) -> bool:
        """Whether the residual is within the bar."""
        return self.residual <= self.bar


def self_check(model: "Model") -> tuple[Check, ...]:
    """Check logits, edge count, source sums, gradients and resumed runs on random tokens."""
    batch, bar, graph = random_batch(model), LOGIT_TOLERANCE[model.dtype], model.graph
    counted = float(abs(graph.n_edges - count_edges(graph)))
    sums, slopes = reconstruction_error(model, batch), gradient_error(model, batch)
    logits = "largest difference from the Hugging Face model's logits, relative to the largest"
    rebuilt = "largest error of any destination's input, rebuilt from what the sources write"
    summed = "scores of the edges out of the input, summed, against one direct derivative"
    resumed = "patching the input for all its readers, against the corrupted run"
    return (
        Check("logits", logit_residual(model), bar, logits),
        Check("edges", counted, 0.0, f"edges listed ({graph.n_edges}) against the closed formula"),
        Check("source sums", sums, bar, rebuilt),
        Check("gradients", slopes, bar, summed),
        Check("resumed runs", resume_error(model, batch), bar, resumed),
    )


def require_self_check(model: "Model") -> None:
    """Refuse a model that fails.

    Raises
    ------
    ValueError
        Names the check, its residual and its bar.
    """
    for check in self_check(model):
        if not check.passed:
            raise ValueError(
                f"{type(model.hf).__name__} is not supported: check {check.name!r} "
                f"({check.meaning}) gives {check.residual:.2g}, at most {check.bar:.0e} is "
                "accepted, so scores would be wrong."
            )


def count_edges(graph: Graph) -> int:
    """Number of edges by the closed formula, independent of the lists in `Graph`.

    sum over layers of (H + 2 H_kv) n_l + [n_l + H if sequential] for the MLP, n_l = 1 + l (H + 1)
    sources before layer l (l H without MLPs), plus all sources for the logits.
    """
    h, reads = graph.n_heads, graph.n_heads + 2 * graph.kv_heads
    step, total = h + graph.has_mlp, 0
    for layer in range(graph.n_layers):
        before = 1 + layer * step
        total += reads * before
        total += graph.has_mlp * (before + (0 if graph.parallel else h))
    return total + 1 + graph.n_layers * step


def random_batch(model: "Model", length: int = 7) -> Batch:
    """Three random prompts of different lengths whose twins differ in two tokens."""
    vocab = int(model.architecture.unembed.weight.shape[0])  # type: ignore
    length = min(length, max_positions(model.architecture))
    generator = torch.Generator().manual_seed(0)
    clean = torch.randint(0, vocab, (3, length), generator=generator)
    corrupt = clean.clone()
    corrupt[:, length // 4] = torch.randint(0, vocab, (3,), generator=generator)
    corrupt[:, length // 2] = torch.randint(0, vocab, (3,), generator=generator)
    mask = torch.ones_like(clean, dtype=torch.bool)
    mask[1, max(1, length - 2) :] = False
    answers = torch.randint(0, vocab, (3, 2), generator=generator)
    answers[:, 1] = (answers[:, 0] + 1 + answers[:, 1] % (vocab - 1)) % vocab
    tensors = (clean, corrupt, mask, answers[:, :1], answers[:, 1:], mask.sum(-1) - 1)
    return Batch(*(t.to(model.device) for t in (*tensors, torch.arange(3))), templates=("",) * 3)


def _logit_difference(
    logits: Float[Tensor, "batch vocab"], batch: Batch, reference: Tensor | None = None
) -> Float[Tensor, " batch"]:
    return (logits.gather(1, batch.answers) - logits.gather(1, batch.wrong_answers))[:, 0]


_METRIC = Metric("logit_diff", "", _logit_difference, "logits", answers_only=True)


@torch.no_grad()
def reconstruction_error(model: "Model", batch: Batch) -> float:
    """Corrupted minus clean input of each destination against the same of the sources before it.

    In the difference everything that belongs to no source (biases, position embeddings) must
    cancel; what does not is an error.
    """
    architecture, graph = model.architecture, model.graph
    clean, corrupt = (plain_run(model, tokens, batch) for tokens in (batch.clean, batch.corrupt))
    kept, patch = writes(architecture, clean), writes(architecture, corrupt)
    deltas = differences(architecture, kept, patch, slice(0, batch.clean.shape[1]))
    sums = deltas.cumsum(0)
    real, worst = batch.mask, 0.0
    for node in graph.destinations:
        want = _read(corrupt, node.kind, node.layer) - _read(clean, node.kind, node.layer)
        got = sums[graph.n_sources_before(node) - 1]
        scale = want[real].abs().max().clamp(min=1e-6)
        worst = max(worst, float((got - want)[real].abs().max() / scale))
    return worst


def _read(trace: Trace, kind: str, layer: int) -> Float[Tensor, "batch pos d_model"]:
    """Residual stream that a destination reads."""
    if kind == "logits":
        return trace.final
    return trace.layers[layer].mid if kind == "mlp" else trace.layers[layer].x


def gradient_error(model: "Model", batch: Batch) -> float:
    """sum over v of score[input, v] = -(e_corrupted - e_clean) . dM/de, per example."""
    embed = model.architecture.embed
    scores = eap(model, batch, metric=_METRIC, options=ScoreOptions()).values
    from_input = torch.from_numpy(model.graph.edge_src == 0).to(scores.device)
    with frozen(model.hf), torch.enable_grad():
        at = point(model, batch, _METRIC, embed(batch.clean), None)
        (slope,) = torch.autograd.grad(at.metric.sum(), at.trace.embeddings)
    change = (embed(batch.corrupt) - embed(batch.clean)).detach()
    direct = -(change.to(scores.dtype) * slope.to(scores.dtype)).sum((1, 2))
    summed = scores[:, from_input].sum(1)
    return _relative(summed, direct, scores[:, from_input].abs().sum(1))


@torch.no_grad()
def resume_error(model: "Model", batch: Batch) -> float:
    """Patching `input` for all its readers is the corrupted run."""
    values = []
    for tokens in (batch.clean, batch.corrupt):
        x = at_last(plain_run(model, tokens, batch).final, batch.last)
        values.append(metric_at(model.architecture, x, batch, _METRIC))
    resumed = node_damage(model, batch, metric=_METRIC, options=ScoreOptions())[:, 0]
    return _relative(resumed, values[0] - values[1], values[0].abs() + values[1].abs())


def _relative(ours: Tensor, theirs: Tensor, scale: Tensor) -> float:
    """Largest error relative to the size of the numbers it came from."""
    return float(((ours - theirs).abs() / scale.clamp(min=1e-6)).max())

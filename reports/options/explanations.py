"""What `identify`, `neurons` and `labels` can be asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from circuitvar.audit.settings import Settings
from circuitvar.circuits import option
from circuitvar.circuits.option import (
    AT_LEAST_0,
    AT_LEAST_1,
    COMMON,
    MODEL,
    OUTPUT,
    STATISTICS,
    Option,
    Range,
)
from circuitvar.circuits.size import SIZE_IF_OMITTED
from circuitvar.circuits.types import Ablation
from circuitvar.reports.options.shared import AllowWeak


@dataclass(frozen=True)
class NetTraining:
    """Small MLPs that learn gates."""

    widths: Annotated[
        tuple[int, ...],
        Option("Hidden width; 3 if omitted, repeatable.", COMMON, flags=("--width",)),
    ] = (3,)
    seeds: Annotated[int, Option("Nets trained per width.", COMMON, AT_LEAST_1)] = 100
    depth: Annotated[int, Option("Hidden layers of the MLP.", MODEL, AT_LEAST_1)] = 2
    noise: Annotated[
        float, Option("Standard deviation of noise on training inputs.", MODEL, AT_LEAST_0)
    ] = 0.0
    loss_target: Annotated[
        float, Option("Training loss at which an MLP has learnt.", MODEL, Range(above=0))
    ] = 1e-2


@dataclass(frozen=True)
class NetJudgement:
    """When a circuit of an MLP is valid, and how circuits are counted; see `net_options`."""

    criterion: Annotated[
        str | None,
        Option(
            "When a circuit of an MLP is valid: label (default), threshold, delta (within --delta "
            "of the net on every input) or iia (label, and the net's answer under every "
            "interchange intervention)."
        ),
    ] = None
    delta: Annotated[
        float | None, Option("With --criterion delta: allowed distance from the net.")
    ] = None
    ablations: Annotated[
        tuple[str, ...],
        Option(
            "What a removed edge of an MLP carries: zero, mean or interchange; repeatable. "
            "All three if omitted (zero and mean with --criterion iia).",
            flags=("--ablation",),
        ),
    ] = ()
    estimator: Annotated[
        str | None,
        Option(
            "How circuits of an MLP are counted: auto (default: exact, or monte-carlo where there "
            "are too many), exact, monte-carlo, splitting or strata.",
            STATISTICS,
        ),
    ] = None
    draws: Annotated[
        int | None, Option("Circuits drawn by an estimator; 400000 if omitted.", STATISTICS)
    ] = None


@dataclass(frozen=True)
class ModelOptions:
    """What is searched around a discovered circuit."""

    method: option.Method = Settings.method
    metric: str | None = None
    """None is the task's own."""
    ablation: Ablation = Settings.ablation
    allow_weak: AllowWeak = False
    n: Annotated[
        int, Option("Prompts a transformer's circuit is found on.", COMMON, AT_LEAST_1)
    ] = 200
    heldout: Annotated[
        int, Option("Fresh prompts behaviour is measured on.", STATISTICS, AT_LEAST_1)
    ] = 64
    size: Annotated[
        int | None,
        Option(f"Edges of the circuit; {SIZE_IF_OMITTED} if omitted.", COMMON, AT_LEAST_1),
    ] = None
    m: Annotated[
        int, Option("Edges nearest the cut whose masks are searched.", STATISTICS, AT_LEAST_1)
    ] = 12
    """All 2^m masks up to 14, sampled above."""
    epsilon: Annotated[
        float, Option("Allowed difference in faithfulness.", STATISTICS, AT_LEAST_0)
    ] = 0.02
    """In units where 1 is the full model and 0 everything ablated."""
    resamples: int = 200
    """Bootstrap resamples of the prompts, each giving one re-run of the selection."""
    batches: Annotated[
        int, Option("Independent sets of prompts the method is re-run on.", STATISTICS, AT_LEAST_0)
    ] = 5
    """The first is the audited one; 0 or 1 for no such re-runs."""
    masks: int = 4096
    """Masks drawn where not all are run."""
    seed: option.Seed = Settings.seed


@dataclass(frozen=True)
class NeuronChoice:
    """Which units of a model are explained, and on how many prompts."""

    prompts: Annotated[int, Option("Prompts of the probing set.", COMMON, AT_LEAST_1)] = 240
    heldout: Annotated[
        int, Option("Further prompts for substitution scores.", STATISTICS, AT_LEAST_1)
    ] = 96
    compositions: Annotated[
        int,
        Option(
            "Longest AND/OR/NOT formula to search, judged on other prompts; 0: none.",
            range=Range(least=0, most=3),
        ),
    ] = 0
    units: Annotated[
        str,
        Option(
            "Kinds of units, with commas: neurons, pre, gate, up (MLP neurons before activation, "
            "gates, linear factors), heads (attention to key positions), heads-output, edges.",
            COMMON,
        ),
    ] = "neurons,heads"
    direction: Annotated[
        str,
        Option(
            "For heads-output: logit-difference, answer, wrong-answer, or a .npy or .safetensors "
            "file of one vector."
        ),
    ] = "logit-difference"
    circuit: Annotated[
        str | None, Option("For edges: a shipped circuit, planted:KEY, or a file of edges.")
    ] = None
    size: Annotated[
        int | None, Option("Edges to take when --circuit is a file of scores.", range=AT_LEAST_1)
    ] = None
    other_models: Annotated[
        tuple[str, ...] | None,
        Option(
            "Model of another training seed to compare labels with, as often as wanted; pocket "
            "models compare with their siblings.",
            MODEL,
            flags=("--other-model",),
            keys="model",
        ),
    ] = None
    workers: Annotated[
        int, Option("Threads; results do not depend on their number.", OUTPUT, AT_LEAST_1)
    ] = 1
    seed: option.Seed = Settings.seed


@dataclass(frozen=True)
class LabelArrays:
    """The arrays that labels of another tool are audited against."""

    activations: Annotated[
        Path, Option("Activations [sample, unit]: .npy, or .safetensors of one tensor.", COMMON)
    ]
    concepts: Annotated[
        Path,
        Option(
            "Concepts [sample, concept] from 0 to 1: .csv with their names as columns, or .npy or "
            ".safetensors with --names.",
            COMMON,
        ),
    ]
    names: Annotated[
        Path | None, Option("Names of the concepts, one a line, where no .csv names them.", COMMON)
    ] = None
    groups: Annotated[
        Path | None,
        Option(
            "What each sample belongs to (prompt, image): .npy; samples of one are one draw. Each "
            "its own if omitted.",
            STATISTICS,
        ),
    ] = None
    units: Annotated[
        Path | None, Option("The file's number of each unit: .npy; their columns if omitted.")
    ] = None
    layer: Annotated[str | None, Option("Layer of the label file, where it has several.")] = None
    seed: option.Seed = Settings.seed

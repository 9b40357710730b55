"""What `neurons` and `labels` can be asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from circuitvar.audit.settings import Settings
from circuitvar.circuits import option
from circuitvar.circuits.option import AT_LEAST_1, COMMON, MODEL, OUTPUT, STATISTICS, Option, Range


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

"""What `labels` can be asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from circuitvar.audit.settings import Settings
from circuitvar.circuits import option
from circuitvar.circuits.option import COMMON, STATISTICS, Option


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

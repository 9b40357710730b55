"""Options that several commands share: one spelling, one help text, one default."""

from pathlib import Path
from typing import Annotated

import typer

from circuitvar.circuits.option import STATISTICS


def _check_seed(seed: int) -> int:
    if seed < 0:
        raise ValueError(f"--seed is {seed}; give a whole number of 0 or more")
    return seed


ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        help="Hub name, local checkpoint folder, or a pocket model (`pocket`, `pocket:3`).",
    ),
]
Revision = Annotated[
    str | None, typer.Option("--revision", help="Branch, tag or commit of a hub model.")
]
Device = Annotated[str, typer.Option("--device", help="`cpu`, `cuda`, `cuda:1` or `mps`.")]
Dtype = Annotated[str, typer.Option("--dtype", help="Weights: `float32`, `bfloat16` or `float16`.")]
MethodKey = Annotated[
    str,
    typer.Option("--method", help="Method key (see `circuitvar methods`) or `module:attribute`."),
]
MetricKey = Annotated[
    str | None, typer.Option("--metric", help="Metric key; the task's own when omitted.")
]
CorruptionKey = Annotated[
    str | None,
    typer.Option(
        "--corruption", help="How corrupted twins are made; the task's first when omitted."
    ),
]
AblationKey = Annotated[
    str, typer.Option("--ablation", help="Patched value: patching, mean, mean-positional or zero.")
]
Steps = Annotated[int, typer.Option("--steps", help="Integration steps of eap-ig methods.")]
Seed = Annotated[
    int, typer.Option("--seed", callback=_check_seed, help="Seed of every random draw.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the results; made if missing.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]
DataFile = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Your own prompts instead of a task: CSV, JSONL or parquet (text or token ids), a "
        "saved dataset folder, or a hub name owner/name, owner/name:config or owner/name@split.",
    ),
]
AllowWeak = Annotated[
    bool,
    typer.Option("--allow-weak", help="Go on although the model does not do the task; reported."),
]
TaskName = Annotated[
    str | None,
    typer.Argument(help="Task key (see `circuitvar tasks`) or your own `module:attribute`."),
]
CircuitName = Annotated[
    str,
    typer.Argument(
        help="File of edges (.json, .pt, .csv, .graphml, .txt), shipped circuit (ioi-gpt2, ...), "
        "or planted:KEY."
    ),
]
Bar = Annotated[
    list[str] | None,
    typer.Option(
        "--bar",
        rich_help_panel=STATISTICS,
        help="A bar of the verdicts, e.g. `jaccard=0.7` or `phi=0.9`; repeatable.",
    ),
]

"""Groups of options that many commands take: a model, a place for results, a circuit by name."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from circuitvar.circuits.option import COMMON, MODEL, OUTPUT, Option
from circuitvar.tasks.lookup import unknown

if TYPE_CHECKING:
    from circuitvar.circuits.model import Model

DataFile = Annotated[
    Path | None,
    Option(
        "Your own prompts instead of a task: CSV, JSONL or parquet (text or token ids), a saved "
        "dataset folder, or a hub name owner/name, owner/name:config or owner/name@split.",
        COMMON,
    ),
]
Strict = Annotated[
    bool, Option("Stop at a prompt that cannot be used, rather than leave it out.", OUTPUT)
]
SeedModels = Annotated[
    tuple[str, ...],
    Option(
        "The same architecture trained from another seed; repeatable, or a list with commas.",
        MODEL,
        flags=("--seed-model", "--seed-models"),
        keys="model",
    ),
]

AllowWeak = Annotated[
    bool, Option("Go on although the model does not do the task; reported.", OUTPUT)
]
Quiet = Annotated[bool, Option("No progress and no summary.", OUTPUT, flags=("--quiet", "-q"))]


def check_known(what: str, keys: Iterable[str], known: Collection[str]) -> None:
    """Refuse a key that is not one of the known ones."""
    for key in keys:
        if key not in known:
            raise unknown(what, key, known)


def split_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names that were given one by one, or with commas.

    >>> split_names(("pocket:1", "pocket:2,pocket:3"))
    ('pocket:1', 'pocket:2', 'pocket:3')
    """
    return tuple(part for name in names for part in name.split(",") if part)


@dataclass(frozen=True)
class ModelChoice:
    """A model and how it is loaded."""

    model: Annotated[
        str,
        Option(
            "Hub name, local checkpoint folder, pocket (`pocket`, `pocket:3`) or planted model.",
            COMMON,
            keys="model",
        ),
    ]
    revision: Annotated[str | None, Option("Branch, tag or commit of a hub model.", MODEL)] = None
    device: Annotated[str, Option("`cpu`, `cuda`, `cuda:1` or `mps`.", MODEL)] = "cpu"
    dtype: Annotated[str, Option("Weights: `float32`, `bfloat16` or `float16`.", MODEL)] = "float32"

    def load(self, out: Path | None = None) -> "Model":
        """The model, on its device; with a folder for results its runs are kept in `out`/runs."""
        from circuitvar.circuits.items import RUNS
        from circuitvar.circuits.loading import load_model

        kind = {"device": self.device, "dtype": self.dtype, "revision": self.revision}
        return load_model(self.model, **kind).keeping(None if out is None else out / RUNS)


POCKET = ModelChoice("pocket")


@dataclass(frozen=True)
class Output:
    """Where results go, and what a terminal shows."""

    out: Annotated[Path, Option("Folder for the results; made if missing.", COMMON)]
    quiet: Quiet = False


@dataclass(frozen=True)
class CircuitChoice:
    """What a circuit that somebody found is a circuit of."""

    task: Annotated[
        str | None, Option("Task key; the circuit's own when it names one.", COMMON, keys="task")
    ] = None
    data: DataFile = None
    strict: Strict = False
    variant: Annotated[str, Option("Variant of a shipped circuit; its default if omitted.")] = ""
    allow_weak: AllowWeak = False

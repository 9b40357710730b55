"""Designs as YAML files, checked against a shipped JSON schema; presets by name."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from circuitvar.audit.design import Design, Facet

SCHEMA_PATH = Path(__file__).parent / "schemas" / "design.schema.json"


class _FacetFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(min_length=1)
    levels: list[str | int | float | bool | None] = Field(min_length=1)
    random: bool = False


class _DesignFile(BaseModel):
    """A circuitvar design: what is varied and how it is crossed."""

    model_config = ConfigDict(extra="forbid", strict=True, title="circuitvar design")
    format: Literal[1] = 1
    facets: list[_FacetFile] = Field(min_length=1)
    crossing: Literal["one-at-a-time", "full", "sampled"] = "full"
    draws: int = Field(default=0, ge=0)
    replicates: int = Field(default=1, ge=1)
    seed: int = Field(default=0, ge=0)


def design_schema() -> dict[str, object]:
    """JSON schema of a design file; `SCHEMA_PATH` holds the same."""
    return _DesignFile.model_json_schema()


def read_design(path: str | Path) -> Design:
    """Design from a YAML file.

    Raises
    ------
    ValueError
        Names the first field that is wrong.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        file = _DesignFile.model_validate(content)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{path}: {where}: {first['msg']}") from None
    facets = tuple(Facet(f.name, tuple(f.levels), f.random) for f in file.facets)
    return Design(facets, file.crossing, file.draws, file.replicates, file.seed)


def write_design(design: Design, path: str | Path) -> None:
    """Write a design as YAML that `read_design` reads back to the same design."""
    content = {
        "format": 1,
        "facets": [
            {"name": f.name, "levels": list(f.levels), "random": f.random} for f in design.facets
        ],
        "crossing": design.crossing,
        "draws": design.draws,
        "replicates": design.replicates,
        "seed": design.seed,
    }
    Path(path).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


_DATA = Facet("data", tuple(range(5)), random=True)
_METHODS = ("eap-ig-inputs", "eap", "eap-ig-activations", "clean-corrupted")

QUICK = Design((Facet("method", ("eap-ig-inputs", "eap")), Facet("data", (0, 1, 2), random=True)))
"""Two methods on three data sets: minutes."""
PAPER = Design(
    (
        Facet("method", _METHODS),
        Facet("ablation", ("patching", "mean", "mean-positional", "zero")),
        _DATA,
    )
)
"""Method x ablation on fresh data, after the setting of Méloux et al. (arXiv 2510.00845); cells a
method is not defined for are left out. Their bootstrap, paraphrase and noise axes are those of
`circuitvar audit --preset paper`."""
FULL = Design(
    (
        Facet("method", _METHODS),
        Facet("metric", ("logit_diff", "prob_diff", "log_prob")),
        Facet("steps", (5, 10, 30)),
        _DATA,
        Facet("granularity", ("edge", "head", "node")),
    ),
    crossing="sampled",
    draws=120,
)
"""120 joint draws over method, metric, integration steps, data and granularity."""
PRESETS: tuple[tuple[str, Design], ...] = (("quick", QUICK), ("paper", PAPER), ("full", FULL))

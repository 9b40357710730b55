"""Designs as YAML files, checked against a shipped JSON schema; presets by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from circuitvar.audit.runs import FACETS, Design, Facet, level_schema
from circuitvar.tasks.lookup import unknown
from circuitvar.tasks.text_files import read_text
from circuitvar.tasks.types import Task

SCHEMA_PATH = Path(__file__).parent / "schemas" / "design.schema.json"


def _only_known_facets(schema: dict[str, Any]) -> None:
    """Names and levels of every facet, so that an editor completes and checks them."""
    schema["allOf"] = [
        {
            "if": {"properties": {"name": {"const": name}}},
            "then": {"properties": {"levels": {"items": level_schema(name)}}},
        }
        for name in FACETS
    ]


class _FacetFile(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_only_known_facets)
    name: str = Field(json_schema_extra={"enum": list(FACETS)})
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
    together: list[list[str]] = Field(
        default=[],
        description="Groups of facets that a one-at-a-time design crosses among themselves.",
    )


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
        content = yaml.safe_load(read_text(path))
        file = _DesignFile.model_validate(content)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{path}: {where}: {first['msg']}") from None
    for facet in file.facets:
        if facet.name not in FACETS:
            raise ValueError(f"{path}: {unknown('facet', facet.name, FACETS)}")
    facets = tuple(Facet(f.name, tuple(f.levels), f.random) for f in file.facets)
    together = tuple(map(tuple, file.together))
    return Design(facets, file.crossing, file.draws, file.replicates, file.seed, together)


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
        "together": [list(group) for group in design.together],
    }
    Path(path).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


EVERY = "*"
"""As a level of `template` or `corruption`: every one the task has."""


def for_task(design: Design, task: Task) -> Design:
    """The design with the levels `*` written out for a task, so that its levels are explicit.

    >>> from circuitvar.tasks.catalog import get_task
    >>> facet = Facet("template", (None, "*"), random=True)
    >>> for_task(Design((facet,)), get_task("ioi")).facets[0].levels[:2]
    (None, 'ioi-01')
    """
    every = {
        "template": tuple(task.templates),
        "corruption": tuple(corruption.key for corruption in task.corruptions[1:]),
    }
    facets = []
    for facet in design.facets:
        levels = facet.levels
        if facet.name in every and EVERY in levels:
            at = levels.index(EVERY)
            written = (*levels[:at], *every[facet.name], *levels[at + 1 :])
            levels = tuple(dict.fromkeys(written)) or (None,)
        facets.append(replace(facet, levels=levels))
    return replace(design, facets=tuple(facets))


_DATA = Facet("data", tuple(range(6)), random=True)
_METHODS = Facet("method", ("eap-ig-inputs", "eap", "eap-ig-activations", "clean-corrupted", "hvp"))
_ABLATIONS = Facet("ablation", ("patching", "mean", "mean-positional", "zero"))

QUICK = Design((Facet("method", ("eap-ig-inputs", "eap")), Facet("data", (0, 1, 2), random=True)))
"""Two methods on three data sets: minutes."""
PAPER = Design(
    (
        _METHODS,
        _ABLATIONS,
        Facet("prompts", tuple(range(101)), random=True),
        _DATA,
        Facet("template", (None, EVERY), random=True),
        Facet("noise", (None, 0.5, 1.0, 2.0, 3.0)),
    ),
    crossing="one-at-a-time",
    together=(("method", "ablation"),),
)
"""The perturbation matrix after the setting of Méloux et al. (arXiv 2510.00845), one axis at a time
from the default: 100 bootstrap resamples, 5 fresh data sets (their meta-dataset), one circuit per
template (paraphrase), a noise sweep, and method x ablation. Cells a method is not defined for are
left out; hvp is ours and makes a full grid with eap. Prompts per run, amplitudes and number of
data sets are ours too: theirs are not stated."""
FULL = Design(
    (
        _METHODS,
        _ABLATIONS,
        Facet("metric", ("logit_diff", "prob_diff", "log_prob")),
        Facet("corruption", (None, EVERY)),
        Facet("steps", (5, 10, 30)),
        _DATA,
        Facet("prompts", tuple(range(10)), random=True),
        Facet("selection", ("top-n", "pruned")),
        Facet("granularity", ("edge", "head", "node")),
    ),
    crossing="sampled",
    draws=240,
)
"""Joint draws over nine facets; one whose method is not defined for its ablation is drawn again."""


def resampled(design: Design) -> Design:
    """The design for prompts from a file, which has no fresh data sets.

    Resamples of its rows take the place of the facet `data`.

    >>> [facet.name for facet in resampled(QUICK).facets]
    ['method', 'prompts']
    """
    names = {facet.name for facet in design.facets}
    facets = [facet for facet in design.facets if facet.name != "data"]
    if "data" in names and "prompts" not in names:
        facets.append(Facet("prompts", tuple(range(31)), random=True))
    return replace(design, facets=tuple(facets))


PRESETS: tuple[tuple[str, Design], ...] = (("quick", QUICK), ("paper", PAPER), ("full", FULL))

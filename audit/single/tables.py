"""The frames behind an audit's figures that are not one row per edge."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from circuitvar.audit.agreement import match_heads, size_curve
from circuitvar.audit.edges import edge_summary, forecast, observed_points, phi_influence
from circuitvar.audit.indices import classify, pairwise_jaccard
from circuitvar.audit.resampling import template_means
from circuitvar.audit.runs import Runs
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.choice_variance import choice_parts
from circuitvar.audit.streams import stream
from circuitvar.audit.types import Axis
from circuitvar.audit.variance import (
    OnExact,
    Part,
    choice_part,
    design_effect,
    ledger,
    methods_table,
    sampling_parts,
    selection_ledger,
    within_between,
)
from circuitvar.circuits.find import top_n, top_n_masks
from circuitvar.circuits.types import Faithfulness
from circuitvar.tasks.units import use_templates


def audit_tables(
    runs: Runs, axes: tuple[Axis, ...], settings: Settings, size: int
) -> dict[str, pd.DataFrame]:
    """Every table the scores support, by the name the report looks it up under."""
    scores = runs.scores.values
    clusters = use_templates(runs.scores.templates)
    groups = edge_groups(runs, axes, settings, size)
    tables = {
        "phi_by_k": size_curve(
            scores,
            size=size,
            clusters=clusters,
            signed=settings.signed,
            level=settings.confidence,
            seed=settings.seed,
        ),
        "forecast": forecast_table(runs, settings, size),
        "influence": influence_table(runs, settings, size),
        "selection": selection_ledger(
            {axis.key: (axis.inclusion, axis.runs) for axis in axes}, groups=groups
        ),
    }
    split = sampling_table(scores, runs.scores.templates, groups)
    if split is not None:
        tables["sampling"] = split
    if clusters is not None:
        tables["similarity"] = similarity_table(runs, settings, size)
    if runs.exact is not None:
        tables["methods"] = methods_table(
            _on_exact(runs),
            runs.exact.values,
            runs.exact.templates,
            size=size,
            signed=settings.signed,
            level=settings.confidence,
        )
    if has_ledger(runs):
        parts = ledger_parts(runs, settings)
        tables["ledger"] = ledger(parts, groups=groups, level=settings.confidence)
        tables["ledger_edges"] = edge_ledger(runs.scores.graph.edge_names, parts)
    return tables


def _on_exact(runs: Runs) -> list[OnExact]:
    """Every method on the prompts that were also patched exactly."""
    methods = runs.along("method") or (runs.audited,)
    return [OnExact(run.method, run.scores.values[runs.exact_rows]) for run in methods]


def heldout_table(run: Faithfulness) -> pd.DataFrame:
    """The circuit prompt by prompt, so that two audits on the same prompts can be paired."""
    return pd.DataFrame(
        {
            "prompt": np.arange(len(run.circuit)),
            "template": run.templates,
            "circuit": run.circuit,
            "full": run.full,
            "empty": run.empty,
            "flipped": run.flipped,
            "correct": run.correct,
            "kl": run.kl,
        }
    )


def has_ledger(runs: Runs) -> bool:
    """Whether exact scores identify the ledger: two prompts of every template on average."""
    if runs.exact is None:
        return False
    templates = runs.exact.templates
    return len(templates) >= 2 * len(set(use_templates(templates) or ("",)))


def edge_groups(
    runs: Runs, axes: tuple[Axis, ...], settings: Settings, size: int
) -> dict[str, np.ndarray]:
    """Edge groups of the ledgers: all, the circuit; core, contingent, noise by the first axis."""
    kind = classify(axes[0].inclusion)
    scores = runs.scores
    groups = {
        "circuit": top_n(scores.graph, scores.mean, size, signed=settings.signed).kept,
        **{name: kind == name for name in ("core", "contingent", "noise")},
    }
    return {
        "all edges": np.ones(len(kind), dtype=bool),
        **{name: mask for name, mask in groups.items() if mask.any()},
    }


def sampling_table(
    scores: np.ndarray, templates: tuple[str, ...], groups: dict[str, np.ndarray]
) -> pd.DataFrame | None:
    """Layer L2 by edge group.

    Columns group, edges, templates, prompts, within, between (variance of one prompt, summed),
    icc = between / both, design_effect of the summed variance and its median, negative where a
    variance is estimated below 0.
    The design effect is the variance of a mean score over that of as many independent prompts.
    None where templates cannot be told from prompts.
    """
    number = len(set(use_templates(templates) or ()))
    if number in (0, len(templates)):
        return None
    found, c_between, c_within = within_between(scores, templates)
    effect = design_effect(found, c_between, c_within)
    rows = []
    for name, inside in groups.items():
        between, within = found.values[:, inside].sum(axis=1)
        both, known = between + within, effect[inside & np.isfinite(effect)]
        actual = between * c_between + within * c_within
        rows.append(
            {
                "group": name,
                "edges": int(inside.sum()),
                "templates": number,
                "prompts": len(templates),
                "within": float(within),
                "between": float(between),
                "icc": float(between / both) if both > 0 else np.nan,
                "design_effect": float(actual / (both * c_within)) if both > 0 else np.nan,
                "median_design_effect": float(np.median(known)) if len(known) else np.nan,
                "negative": bool(min(between, within) < 0),
            }
        )
    return pd.DataFrame(rows)


def edge_ledger(names: Sequence[str], parts: Sequence[Part]) -> pd.DataFrame:
    """The ledger edge by edge.

    Columns edge, one per line (`L0 ...`), total, to which the lines add up, and negative where one
    of them is estimated below 0.
    """
    frame = pd.DataFrame({"edge": names})
    for part in parts:
        frame[f"{part.layer} {part.source}"] = part.variance
    lines = np.stack([part.variance for part in parts])
    return frame.assign(total=lines.sum(axis=0), negative=(lines < 0).any(axis=0))


def forecast_table(runs: Runs, settings: Settings, size: int) -> pd.DataFrame:
    """phi of two fresh data sets of n prompts: empirical-Bayes forecast and observed blocks.

    Where templates are the sampling unit, n counts prompts at the present number per template.
    """
    scores = runs.scores.values
    clusters = use_templates(runs.scores.templates)
    summary = edge_summary(scores, clusters=clusters)
    present = summary.units
    grid = sorted({max(2, round(present * f)) for f in (0.125, 0.25, 0.5, 1, 2, 4, 8, 16)})
    options = {"size": size, "signed": settings.signed}
    ahead = forecast(summary, units=grid, rng=stream(settings.seed, "forecast"), **options)
    blocks = observed_points(
        scores, clusters=clusters, rng=stream(settings.seed, "blocks"), **options
    )
    frame = pd.concat([ahead, blocks], ignore_index=True)
    frame["kind"] = frame["kind"].replace({"observed": "disjoint blocks"})
    frame.insert(0, "n", frame["units"] * (len(scores) / present))
    return frame


def influence_table(runs: Runs, settings: Settings, size: int) -> pd.DataFrame:
    """Approximate change of bootstrap phi without one prompt: example, template, influence."""
    return pd.DataFrame(
        {
            "example": np.arange(len(runs.scores.values)),
            "template": runs.scores.templates,
            "influence": phi_influence(runs.scores.values, size=size, signed=settings.signed),
        }
    )


def similarity_table(runs: Runs, settings: Settings, size: int) -> pd.DataFrame:
    """Jaccard between the circuits of every two templates: run_a, run_b, jaccard."""
    means, names = template_means(runs.scores.values, runs.scores.templates)
    masks = top_n_masks(means, size, signed=settings.signed)
    return pd.DataFrame(
        {
            "run_a": np.repeat(names, len(names)),
            "run_b": np.tile(names, len(names)),
            "jaccard": np.asarray(pairwise_jaccard(masks), dtype=np.float64).ravel(),
        }
    )


def ledger_parts(runs: Runs, settings: Settings) -> list[Part]:
    """Lines L0 to L5 of the variance ledger that the runs scores can identify.

    Training seeds are compared after matching heads, so that L5 is not dominated by names.
    """
    exact, rows = runs.exact, runs.exact_rows
    assert exact is not None and rows is not None
    templates = runs.scores.templates
    parts = list(
        sampling_parts(
            runs.scores.values[rows],
            exact=exact.values,
            clusters=use_templates(exact.templates),
            n=len(templates),
            n_templates=len(set(templates)) if use_templates(templates) else None,
            rng=stream(settings.seed, "ledger"),
        )
    )
    parts += choice_parts(runs)
    seeds = [run.mean for run in runs.along("seed")]
    if seeds:
        graph, first = runs.scores.graph, seeds[0]
        if graph.kv_heads == graph.n_heads:
            seeds = [first, *(match_heads(graph, mean, first) for mean in seeds[1:])]
        parts.append(choice_part(np.stack(seeds), "training seed, heads matched", layer="L5"))
    return parts

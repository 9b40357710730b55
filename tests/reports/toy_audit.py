"""A made-up but realistic `Audit`: simulated scores, the real data model, no network of any kind.

Effects are heavy-tailed, prompts are nested in templates, and every number shown is computed from
the simulated matrix by the plainest formula, so that reports are built on coherent input.
"""

import numpy as np
import pandas as pd

from circuitvar.audit.indices.jaccard import mean_chance
from circuitvar.audit.single.claims import claims
from circuitvar.audit.types import Audit, Axis, Component, Estimate
from circuitvar.audit.verdicts import Bars
from circuitvar.circuits.graph import Graph

POCKET = Graph(n_layers=4, n_heads=4)
BARS = Bars()
GPT2_SMALL = Graph(n_layers=12, n_heads=12)


def simulate_scores(graph: Graph, *, n: int, templates: int, rng: np.random.Generator):
    """Per-example scores `[example, edge]`, their truth, and the template of each example."""
    truth = rng.standard_t(df=2, size=graph.n_edges) * 0.02
    template = np.arange(n) % templates
    between = rng.normal(0, 0.02, size=(templates, graph.n_edges))
    within = rng.normal(0, 0.10, size=(n, graph.n_edges))
    scale = 0.3 + 8 * np.abs(truth)
    return (truth + scale * (between[template] + within)).astype(np.float32), truth, template


def top_sets(means: np.ndarray, k: int) -> np.ndarray:
    """Top-k |mean| per row as a 0/1 matrix."""
    order = np.argsort(-np.abs(means), axis=1, kind="stable")[:, :k]
    selected = np.zeros(means.shape, dtype=bool)
    np.put_along_axis(selected, order, True, axis=1)
    return selected


def phi_of(selected: np.ndarray) -> float:
    """Nogueira's index of a run-by-edge 0/1 matrix."""
    runs, edges = selected.shape
    share = selected.mean(axis=0)
    mean_size = selected.sum() / runs
    spread = runs / (runs - 1) * np.mean(share * (1 - share))
    return float(1 - spread / ((mean_size / edges) * (1 - mean_size / edges)))


def jaccard_matrix(selected: np.ndarray) -> np.ndarray:
    both = selected.astype(float) @ selected.T.astype(float)
    size = selected.sum(axis=1)
    return both / (size[:, None] + size[None, :] - both)


def jackknife(selected: np.ndarray) -> float:
    runs = len(selected)
    left = np.array([phi_of(np.delete(selected, i, axis=0)) for i in range(runs)])
    return float(np.sqrt((runs - 1) / runs * ((left - left.mean()) ** 2).sum()))


def estimate(name: str, value: float, se: float, **more) -> Estimate:
    return Estimate(name, value, se, value - 1.96 * se, value + 1.96 * se, **more)


def axis_of(key, title, unit, selected, note="") -> Axis:
    runs = len(selected)
    pairs = jaccard_matrix(selected)[np.triu_indices(runs, 1)]
    return Axis(
        key=key,
        title=title,
        unit=unit,
        runs=runs,
        phi=estimate(
            "phi", phi_of(selected), jackknife(selected), n=runs, interval="row jackknife t"
        ),
        jaccard=estimate(
            "jaccard", float(pairs.mean()), float(pairs.std() / np.sqrt(runs)), n=runs
        ),
        jaccard_cv=float(pairs.std() / pairs.mean()),
        chance=mean_chance(selected.sum(axis=1), selected.shape[1]),
        inclusion=selected.mean(axis=0),
        sizes=selected.sum(axis=1).astype(float),
        note=note,
    )


def toy_audit(graph: Graph = POCKET, *, n: int = 240, k: int = 40, seed: int = 0) -> Audit:
    """Audit of simulated scores on `graph`; same seed, same audit."""
    rng = np.random.default_rng(seed)
    scores, truth, template = simulate_scores(graph, n=n, templates=8, rng=rng)
    halves = [rng.permutation(n) for _ in range(10)]
    half_means = np.stack(
        [
            scores[part].mean(axis=0)
            for order in halves
            for part in (order[: n // 2], order[n // 2 :])
        ]
    )
    boot = rng.multinomial(n, np.full(n, 1 / n), size=20) / n
    by_template = np.stack([scores[template == t].mean(axis=0) for t in range(8)])
    seeds = truth + rng.normal(0, 0.5, size=(5, graph.n_edges)) * np.abs(truth)
    sets = {
        "halves-template": top_sets(half_means, k),
        "bootstrap": top_sets(boot @ scores, k),
        "paraphrase": top_sets(by_template, k),
        "seed": top_sets(seeds, k),
    }
    axes = (
        axis_of("halves-template", "Complementary halves", "template", sets["halves-template"]),
        axis_of("bootstrap", "Bootstrap", "prompt", sets["bootstrap"], "reuses one data set"),
        axis_of("paraphrase", "Paraphrase", "template", sets["paraphrase"]),
        axis_of("seed", "Training seed", "training seed", sets["seed"]),
    )
    estimates = (
        estimate("faithfulness", 0.874, 0.021, n=n, interval="bootstrap t"),
        estimate("circuit error", 0.11, 0.03, n=n, interval="Wilson"),
        estimate("KL to the full model", 0.21, 0.04, n=n, interval="bootstrap t"),
        estimate("rank correlation with exact", 0.93, 0.012, n=n),
    )
    random = rng.normal(0.1, 0.2, size=100)
    return Audit(
        title="IOI on a simulated model",
        axes=axes,
        verdicts=claims(
            axes, estimates, random=random, own=0.87, method="eap-ig-inputs", bars=BARS, level=0.95
        ),
        edges=toy_edges(graph, scores, truth, axes, k, rng),
        estimates=estimates,
        components=toy_components(),
        tables={
            **toy_tables(graph, scores, template, sets, rng),
            "random_circuits": pd.DataFrame({"faithfulness": random, "own": 0.87}),
        },
        provenance=toy_provenance(graph, n, k, seed),
    )


def toy_edges(graph, scores, truth, axes, k, rng) -> pd.DataFrame:
    mean = scores.mean(axis=0, dtype=float)
    se = scores.std(axis=0, ddof=1, dtype=float) / np.sqrt(len(scores))
    inclusion = axes[0].inclusion
    frame = pd.DataFrame(
        {
            "edge": graph.edge_names,
            "src": [edge.src.name for edge in graph.edges],
            "dst": [edge.dst.name for edge in graph.edges],
            "score": mean,
            "se": se,
            "snr": np.abs(mean) / se,
            "sign_consistency": np.maximum((scores > 0).mean(axis=0), (scores < 0).mean(axis=0)),
        }
    )
    for axis in axes:
        frame[f"inclusion_{axis.key}"] = axis.inclusion
    frame["class"] = np.select(
        [inclusion >= 0.9, inclusion >= 0.1], ["core", "contingent"], default="noise"
    )
    frame["in_circuit"] = top_sets(mean[None], k)[0]
    frame["exact"] = truth + rng.normal(0, 0.002, size=graph.n_edges)
    return frame


def toy_components() -> tuple[Component, ...]:
    rows = [("L0", "between inputs", 0.30), ("L1", "approximation", 0.12)]
    rows += [("L2", "prompts", 0.26), ("L2", "templates", 0.14), ("L3", "selection", 0.08)]
    rows += [("L4", "analytic choices", 0.07), ("L5", "training seed", 0.03)]
    return tuple(
        Component(name, estimate(name, share * 2e-3, share * 4e-4), share, layer)
        for layer, name, share in rows
    )


def toy_tables(graph, scores, template, sets, rng) -> dict[str, pd.DataFrame]:
    n, edges = scores.shape
    by_k = []
    for k in (5, 10, 20, 40, 80, 160, 320):
        halves = top_sets(
            np.stack([scores[rng.permutation(n)[: n // 2]].mean(axis=0) for _ in range(6)]), k
        )
        phi, share = phi_of(halves), k / edges
        pairs = jaccard_matrix(halves)[np.triu_indices(6, 1)]
        by_k.append((k, phi, phi - 0.04, phi + 0.04, pairs.mean(), share / (2 - share)))
    sizes = np.array([15, 30, 60, 120, 240, 480, 960, 1920])
    curve = 1 - 2.2 / np.sqrt(sizes)
    forecast = pd.DataFrame(
        {
            "n": np.r_[sizes, sizes[:4]],
            "phi": np.r_[curve, curve[:4] + rng.normal(0, 0.02, 4)],
            "low": np.r_[curve - 0.05, np.full(4, np.nan)],
            "high": np.r_[np.minimum(curve + 0.05, 1), np.full(4, np.nan)],
            "kind": ["forecast"] * 8 + ["disjoint blocks"] * 4,
        }
    )
    runs = sets["paraphrase"]
    pairs = jaccard_matrix(runs)
    names = [f"template {t}" for t in range(len(runs))]
    similarity = pd.DataFrame(
        [
            {"run_a": a, "run_b": b, "jaccard": pairs[i, j]}
            for i, a in enumerate(names)
            for j, b in enumerate(names)
        ]
    )
    cross = pd.DataFrame(
        [
            {"circuit": a, "prompts": b, "faithfulness": 0.9 - 0.3 * (a != b) + rng.normal(0, 0.03)}
            for a in names
            for b in names
        ]
    )
    return {
        "phi_by_k": pd.DataFrame(
            by_k, columns=["k", "phi", "phi_low", "phi_high", "jaccard", "chance"]
        ),
        "forecast": forecast,
        "similarity": similarity,
        "specifications": toy_specifications(rng),
        "influence": pd.DataFrame(
            {
                "example": np.arange(n),
                "template": [f"template {t}" for t in template],
                "influence": rng.standard_t(3, n) * 1e-3,
            }
        ),
        "cross_faithfulness": cross,
        "cross_faithfulness_axes": pd.concat(
            [cross.assign(axis="corruption"), cross.assign(axis="ablation")], ignore_index=True
        ),
    }


def toy_specifications(rng) -> pd.DataFrame:
    rows = []
    for method in ("eap", "eap-ig-inputs", "exact"):
        for ablation in ("patching", "mean", "zero"):
            for metric in ("logit_diff", "kl"):
                value = 0.8 - 0.1 * (method == "eap") - 0.2 * (ablation == "zero")
                value += rng.normal(0, 0.04)
                default = (method, ablation, metric) == ("eap-ig-inputs", "patching", "logit_diff")
                rows.append((method, ablation, metric, value, value - 0.05, value + 0.05, default))
    columns = ["method", "ablation", "metric", "value", "low", "high", "default"]
    return pd.DataFrame(rows, columns=columns)


def toy_provenance(graph: Graph, n: int, k: int, seed: int) -> dict[str, object]:
    return {
        "model": "pocket/seed0",
        "model_digest": "sha256:" + "0" * 64,
        "task": "ioi",
        "method": "eap-ig-inputs",
        "metric": "logit_diff",
        "ablation": "patching",
        "options": {"steps": 5, "rule": "left"},
        "rule": f"top-n |score|, n={k}",
        "n_examples": n,
        "n_templates": 8,
        "n_edges": graph.n_edges,
        "data_digest": "sha256:" + "1" * 64,
        "seed": seed,
        "bars": dict(vars(BARS)),
        "settings": {"level": 0.95},
        "device": "cpu",
        "dtype": "float32",
        "versions": {"circuitvar": "0.1.0", "torch": "2.13.0", "numpy": "2.4.0"},
        "commit": "8f5168f",
        "command": "circuitvar demo",
        "started": "2026-11-21T02:00:00Z",
        "wall_seconds": 41.2,
    }

"""The shapes of table that papers on circuit stability use, column by column."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from circuitvar.reports.card import Run
from circuitvar.reports.paper.edge_frames import edge_frame, edge_group_frame
from circuitvar.reports.paper.frames import (
    method_frame,
    noise_frame,
    perturbation_frame,
    stability_rows,
    variance_frame,
)
from circuitvar.reports.tables import Column


@dataclass(frozen=True)
class Layout:
    """One shape of table."""

    key: str
    title: str
    """What the rows are; the first sentence of the caption."""
    frame: Callable[[Sequence[Run]], pd.DataFrame]
    columns: tuple[Column, ...]
    note: str
    """What a reader must know about the numbers; the end of the caption."""
    more: Callable[[pd.DataFrame], tuple[Column, ...]] | None = None
    """Columns that depend on the frame, shown after the others."""


def _estimate(key: str, title: str, digits: int = 3) -> tuple[Column, Column]:
    return (
        Column(key, title, "number", se=f"{key}_se", digits=digits),
        Column(key, f"{title} interval", "interval", se=f"{key}_se", digits=digits),
    )


NAMES = (Column("model", "Model"), Column("task", "Task"))
METHOD = (Column("method", "Method"),)

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "paper",
        "Stability and error of circuits by perturbation",
        perturbation_frame,
        (
            *NAMES,
            *METHOD,
            Column("perturbation", "Perturbation"),
            Column("runs", "Runs", "number", digits=0),
            Column("prompts", "n", "number", digits=0),
            Column("size_mean", "Size", "number", digits=0),
            *_estimate("circuit_error", "Circuit error"),
            Column("circuit_error_cv", "CV", "number", digits=2),
            *_estimate("kl", "KL"),
            Column("kl_cv", "CV", "number", digits=2),
            *_estimate("jaccard", "Jaccard"),
            Column("jaccard_cv", "CV", "number", digits=2),
            Column("jaccard_matched", "J, one size", "number", se="jaccard_se"),
            Column("chance", "Chance", "number"),
            *_estimate("phi", "φ"),
        ),
        "n is the number of prompts behind the run; J, one size is given where all circuits of a "
        "row have the same size. Circuit error and KL are on held-out prompts; they have a CV "
        "where the circuit of every run was evaluated and are of the audited circuit otherwise.",
    ),
    Layout(
        "methods",
        "Circuits by attribution method, intervention and aggregation",
        method_frame,
        (
            *NAMES,
            *METHOD,
            Column("ablation", "Intervention"),
            Column("rule", "Selection"),
            Column("size", "Size", "number", digits=0),
            *_estimate("circuit_error", "Circuit error"),
            *_estimate("kl", "KL"),
            Column("jaccard_to_medoid", "J to medoid", "number"),
            Column("overlap_to_medoid", "Overlap", "number"),
            *_estimate("spearman", "ρ to exact"),
        ),
        "The medoid is the circuit closest to those of the other rows of the same model and task "
        "(our reading of “median circuit”); overlap is the shared edges over the smaller circuit.",
    ),
    Layout(
        "edges-by-class",
        "Per-edge scores by class of edge",
        edge_group_frame,
        (
            *NAMES,
            *METHOD,
            Column("group", "Edges"),
            Column("edges", "Number", "number", digits=0),
            Column("mean", "Mean |score|", "number", digits=4),
            Column("sd", "SD", "number", digits=4),
            Column("cv", "CV", "number", digits=2),
            Column("snr", "SNR", "number", digits=2),
            Column("sign_flips", "Sign flips", "number"),
            Column("se", "SE", "number", digits=4),
            Column("bias_squared", "Bias²", "number", digits=5),
            Column("noise_variance", "Noise variance", "number", digits=5),
        ),
        "Medians over the edges of a class. SD is over single prompts, CV the SD over |mean| (only "
        "edges with |mean| of at least two standard errors), SNR |mean| over SD, SE that of the "
        "mean score; sign flips are the share of prompts with the minority sign. Bias² and noise "
        "variance split the squared error of single prompts against exact patching: means over "
        "all edges.",
    ),
    Layout(
        "noise",
        "Agreement and error under embedding noise",
        noise_frame,
        (
            *NAMES,
            *METHOD,
            Column("amplitude", "Amplitude", "number", digits=2),
            *_estimate("jaccard", "Jaccard"),
            *_estimate("circuit_error", "Circuit error"),
        ),
        "Amplitude is in standard deviations of the embeddings.",
    ),
    Layout(
        "stability",
        "Stability of circuits",
        stability_rows,
        (
            *NAMES,
            *METHOD,
            Column("edges", "Edges", "number", digits=0),
            Column("rule", "Selection"),
            Column("size_mean", "Size", "number", digits=0),
            Column("size_min", "Min", "number", digits=0),
            Column("size_max", "Max", "number", digits=0),
            Column("perturbation", "Perturbation"),
            Column("unit", "Unit"),
            Column("runs", "Runs", "number", digits=0),
            Column("prompts", "n", "number", digits=0),
            Column("templates", "T", "number", digits=0),
            *_estimate("phi", "φ"),
            Column("phi_interval", "Interval"),
            Column("jaccard", "Jaccard", "number", se="jaccard_se"),
            Column("chance", "Chance", "number"),
            Column("core", "Core", "number", digits=0),
            Column("union", "Union", "number", digits=0),
            Column("inner", "Inner", "number", digits=0),
            Column("outer", "Outer", "number", digits=0),
            Column("chance_edges", "Chance edges", "number", digits=2),
            Column("rbo", "RBO", "number"),
            Column("sign_consistency", "Signs", "number", digits=2),
            *_estimate("faithfulness", "Faithfulness"),
            Column("faithfulness_se", "SE", "number"),
            Column("equivalence_p", "TOST p", "number"),
            Column("prompts_needed", "n for φ ≥ 0.9", "number", digits=0),
        ),
        "Core edges are kept in at least 90% of runs, the union in at least one. Inner edges are "
        "surely, edges that are not outer surely not among the largest true scores. Chance edges: "
        "at most so many of the edges kept in 90% of halves are no more likely than a random edge. "
        "RBO: rank-biased overlap of halves down to the circuit's size. Signs: median sign "
        "consistency over the circuit. TOST p: two one-sided tests that the circuit scores higher "
        "than the model on half of the held-out prompts, within 0.1. n for φ ≥ 0.9 is a forecast.",
    ),
    Layout(
        "variance",
        "Shares of variance by source",
        variance_frame,
        (
            *NAMES,
            *METHOD,
            Column("group", "Edges"),
            Column("variance", "Variance", "number", digits=5),
            Column("icc", "ICC", "number"),
            Column("se_now", "SE", "number", digits=4),
            Column("se_templates", "SE, 2T", "number", digits=4),
            Column("se_prompts", "SE, 2P", "number", digits=4),
        ),
        "Shares of the ledger's total; negative estimates are printed as they are. ICC is the "
        "share of single-prompt variance between templates; SE that of a mean score as designed, "
        "with twice the templates (2T) and with twice the prompts per template (2P); medians over "
        "edges.",
        lambda frame: tuple(
            Column(key, key.removeprefix("share: "), "number")
            for key in frame.columns
            if key.startswith("share: ")
        ),
    ),
    Layout(
        "edges",
        "Edges of the circuits, most often kept first",
        edge_frame,
        (
            *NAMES,
            *METHOD,
            Column("edge", "Edge"),
            Column("type", "Type"),
            Column("layers", "Layers"),
            Column("score", "Score", "number", se="se"),
            Column("score", "BCa interval", "interval", se="se"),
            Column("se", "SE", "number", se="se"),
            Column("snr", "SNR", "number", digits=1),
            Column("p_max_t", "p (max-T)", "number"),
            Column("q", "q (BH)", "number"),
            Column("inclusion", "Kept", "number", digits=2),
            Column("inclusion", "Interval", "interval", digits=2),
            Column("class", "Class"),
            Column("inner", "Inner"),
            Column("outer", "Outer"),
            Column("sign_consistency", "Signs", "number", digits=2),
            Column("robust", "Trimmed mean", "number", se="se"),
            Column("icc", "ICC", "number", digits=2),
            Column("radius", "Radius", "number", digits=0),
            Column("exact", "Exact", "number", se="exact_se", digits=4),
        ),
        "Only edges kept in at least one run. p is adjusted for all edges by step-down max-T, q by "
        "Benjamini and Hochberg; Kept has a Clopper-Pearson interval over the runs of the first "
        "axis. The trimmed mean leaves out 10% at each end. Radius: prompts that can be changed "
        "without moving the edge across the vote of the certificate; -1 where it abstains.",
    ),
)

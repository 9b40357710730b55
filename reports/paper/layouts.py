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
    """After those of `FIRST`."""
    note: str
    """What a reader must know about the numbers; the end of the caption."""
    more: Callable[[pd.DataFrame], tuple[Column, ...]] | None = None
    """Columns that depend on the frame, shown after the others."""


def _texts(**titles: str) -> list[Column]:
    """Columns of text, `key="Title"`."""
    return [Column(key, title) for key, title in titles.items()]


def _numbers(decimals: int, /, **titles: str) -> list[Column]:
    """Columns of numbers with so many decimals, `key="Title"`."""
    return [Column(key, title, "number", digits=decimals) for key, title in titles.items()]


def _estimate(key: str, title: str) -> list[Column]:
    """A number and its interval, rounded by the standard error."""
    return [
        Column(key, title, "number", se=f"{key}_se"),
        Column(key, f"{title} interval", "interval", se=f"{key}_se"),
    ]


FIRST = tuple(_texts(model="Model", task="Task", method="Method"))
"""Columns that every layout starts with."""

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "paper",
        "Stability and error of circuits by perturbation",
        perturbation_frame,
        (
            *_texts(perturbation="Perturbation"),
            *_numbers(0, runs="Runs", prompts="n", size_mean="Size"),
            *_estimate("circuit_error", "Circuit error"),
            *_numbers(2, circuit_error_cv="CV"),
            *_estimate("kl", "KL"),
            *_numbers(2, kl_cv="CV"),
            *_estimate("jaccard", "Jaccard"),
            *_numbers(2, jaccard_cv="CV"),
            Column("jaccard_matched", "J, one size", "number", se="jaccard_se"),
            *_numbers(3, chance="Chance"),
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
            *_texts(ablation="Intervention", rule="Selection"),
            *_numbers(0, size="Size"),
            *_estimate("circuit_error", "Circuit error"),
            *_estimate("kl", "KL"),
            *_numbers(3, jaccard_to_medoid="J to medoid", overlap_to_medoid="Overlap"),
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
            *_texts(group="Edges"),
            *_numbers(0, edges="Number"),
            *_numbers(4, mean="Mean |score|", sd="SD"),
            *_numbers(2, cv="CV", snr="SNR"),
            *_numbers(3, sign_flips="Sign flips"),
            *_numbers(4, se="SE"),
            *_numbers(5, bias_squared="Bias²", noise_variance="Noise variance"),
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
            *_numbers(2, amplitude="Amplitude"),
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
            *_numbers(0, edges="Edges"),
            *_texts(rule="Selection"),
            *_numbers(0, size_mean="Size", size_min="Min", size_max="Max"),
            *_texts(perturbation="Perturbation", unit="Unit"),
            *_numbers(0, runs="Runs", prompts="n", templates="T"),
            *_estimate("phi", "φ"),
            *_texts(phi_interval="Interval"),
            Column("jaccard", "Jaccard", "number", se="jaccard_se"),
            *_numbers(3, chance="Chance"),
            *_numbers(0, core="Core", union="Union", inner="Inner", outer="Outer"),
            *_numbers(2, chance_edges="Chance edges"),
            *_numbers(3, rbo="RBO"),
            *_numbers(2, sign_consistency="Signs"),
            *_estimate("faithfulness", "Faithfulness"),
            *_numbers(3, faithfulness_se="SE", equivalence_p="TOST p"),
            *_numbers(0, prompts_needed="n for φ ≥ 0.9"),
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
            *_texts(group="Edges"),
            *_numbers(5, variance="Variance"),
            *_numbers(3, icc="ICC"),
            *_numbers(4, se_now="SE", se_templates="SE, 2T", se_prompts="SE, 2P"),
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
            *_texts(edge="Edge", type="Type", layers="Layers"),
            Column("score", "Score", "number", se="se"),
            Column("score", "BCa interval", "interval", se="se"),
            Column("se", "SE", "number", se="se"),
            *_numbers(1, snr="SNR"),
            *_numbers(3, p_max_t="p (max-T)", q="q (BH)"),
            *_numbers(2, inclusion="Kept"),
            Column("inclusion", "Interval", "interval", digits=2),
            Column("class", "Class"),
            *_texts(inner="Inner", outer="Outer"),
            *_numbers(2, sign_consistency="Signs"),
            Column("robust", "Trimmed mean", "number", se="se"),
            *_numbers(2, icc="ICC"),
            *_numbers(0, radius="Radius"),
            Column("exact", "Exact", "number", se="exact_se", digits=4),
        ),
        "Only edges kept in at least one run. p is adjusted for all edges by step-down max-T, q by "
        "Benjamini and Hochberg; Kept has a Clopper-Pearson interval over the runs of the first "
        "axis. The trimmed mean leaves out 10% at each end. Radius: prompts that can be changed "
        "without moving the edge across the vote of the certificate; -1 where it abstains.",
    ),
)

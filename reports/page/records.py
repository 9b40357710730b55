"""Tables of an audit that no figure shows: what each is called on the page and how to read it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class TableRecord:
    """How one named table of an audit is shown."""

    key: str
    title: str
    note: str
    """What the table says and how to read it."""
    summary: Callable[[pd.DataFrame], pd.DataFrame]
    """The frame that is printed, its columns named for a reader."""


def null_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Observed agreement against each null."""
    return frame.rename(
        columns={
            "null": "Null data",
            "kind": "What it keeps",
            "observed": "φ observed",
            "expected": "φ of null data",
            "margin": "Margin",
            "p": "p",
        }
    )


def cluster_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Prompts per template (rows) and cluster (columns).

    >>> cluster_rows(pd.DataFrame({"example": [0, 1], "template": ["a", "a"], "cluster": [0, 1]}))
      Template  Cluster 1  Cluster 2
    0        a          1          1
    """
    counts = pd.crosstab(frame["template"].astype(str), frame["cluster"].astype(int))
    counts.columns = [f"Cluster {number + 1}" for number in counts.columns]
    return counts.reset_index(names="Template")


def run_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean and range over the circuits of each perturbation."""
    rows = []
    for axis, part in frame.groupby("axis", sort=False):
        row: dict[str, object] = {"Perturbation": axis, "Circuits": len(part)}
        for key, title in (
            ("faithfulness", "Faithfulness"),
            ("circuit_error", "Circuit error"),
            ("kl", "KL"),
        ):
            if key in part:
                values = part[key].to_numpy(dtype=float)
                row[f"{title}, mean"] = float(values.mean())
                row[f"{title}, range"] = f"{values.min():.3g} to {values.max():.3g}"
        rows.append(row)
    return pd.DataFrame(rows)


def noise_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per amplitude."""
    titles = {
        "amplitude": "Amplitude",
        "jaccard": "Jaccard to the audited circuit",
        "jaccard_pairwise": "Jaccard to other amplitudes",
        "circuit_error": "Circuit error",
        "circuit_error_low": "Error, low",
        "circuit_error_high": "Error, high",
        "faithfulness": "Faithfulness",
        "gap": "Clean-corrupt gap",
    }
    return pd.DataFrame({titles[key]: frame[key] for key in titles if key in frame})


def selection_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Share of the selection variance by class of edge (columns) and perturbation (rows)."""
    total = frame[frame["group"] == "all edges"].set_index("axis")
    groups = [name for name in dict.fromkeys(frame["group"]) if name != "all edges"]
    wide = frame.pivot(index="axis", columns="group", values="share")
    wide = wide.reindex(index=list(dict.fromkeys(frame["axis"])), columns=groups)
    wide.columns = [f"Share: {name}" for name in groups]
    wide.insert(0, "Σ p(1−p)", total["selection_variance"])
    wide.insert(1, "Edges that differ", total["expected_symmetric_difference"])
    return wide.reset_index(names="Perturbation")


def method_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per method: error in metric units, then agreement with exact patching."""
    titles = {
        "method": "Method",
        "exact_rms": "RMS exact effect",
        "bias": "Mean bias",
        "bias_rms": "RMS bias",
        "noise_sd": "Noise SD",
        "covariance": "2 Cov(effect, noise)",
        "rank": "Rank correlation",
        "rank_low": "Low",
        "rank_high": "High",
        "sign": "Same sign, all edges",
        "sign_strongest": "Same sign, strongest",
        "overlap": "Top-n overlap",
    }
    return pd.DataFrame({titles[key]: frame[key] for key in titles if key in frame})


def renamed(titles: Mapping[str, str]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A summary that keeps these columns, in this order, under these titles."""

    def summary(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({titles[key]: frame[key] for key in titles if key in frame})

    return summary


FUNCTION_NAMES = {
    "axis": "Perturbation",
    "circuits": "Circuits",
    "conditions": "Run under",
    "jaccard": "Jaccard",
    "phi": "φ",
    "own": "Own faithfulness",
    "kept": "Function kept",
    "kept_low": "low",
    "kept_high": "high",
    "best_random": "Best random circuit",
    "reading": "Reading",
}


TABLES: tuple[TableRecord, ...] = (
    TableRecord(
        "function",
        "Other circuits, the same job, or noise?",
        "Agreement of edges beside agreement of function. Every circuit of a perturbation is run "
        "under the conditions the others were found under (data sets, corruptions, ablations, "
        "models with heads matched). Function kept: what circuits found elsewhere do, over what a "
        "condition's own circuits do; where all share one condition, over what the audited circuit "
        "does. Circuits no better than the best random one of their size are noise.",
        renamed(FUNCTION_NAMES),
    ),
    TableRecord(
        "methods",
        "Which approximations can be trusted?",
        "Every compared method against exact patching, over all edges, on the prompts that were "
        "patched exactly. Bias is the error that more prompts do not remove, noise the error that "
        "they do, both in metric units next to the size of exact effects; twice the covariance of "
        "noise and effect, in squared units, is negative where the noise offsets the effects. A "
        "method on another scale has ranks and signs only.",
        method_rows,
    ),
    TableRecord(
        "nulls",
        "Is the agreement more than noise gives?",
        "φ between halves of the prompts, and the same statistic on null data made from the same "
        "scores. Nulls that keep every edge's noise and remove only the effects are the ones to "
        "beat; p is the share of data sets, this one included, that agree "
        "at least as well.",
        null_rows,
    ),
    TableRecord(
        "prompt_clusters",
        "Do all prompts use one circuit?",
        "Prompts per template and cluster. Prompts are clustered by the direction of their edge "
        "scores; one column means no evidence for more than one circuit, clusters that follow the "
        "templates mean that templates use different circuits.",
        cluster_rows,
    ),
    TableRecord(
        "runs",
        "Do circuits that differ in edges also differ in function?",
        "Every circuit found under a perturbation, run on the same held-out prompts: mean and "
        "range over the circuits.",
        run_rows,
    ),
    TableRecord(
        "noise",
        "Embedding noise as the corruption",
        "The circuit found when the corrupted prompt is the clean one with Gaussian noise of this "
        "amplitude, in standard deviations of the embeddings. A gap near 0 means that the noise "
        "removed nothing.",
        noise_rows,
    ),
    TableRecord(
        "sampling",
        "Do templates or prompts carry the sampling variance?",
        "Variance of a prompt's score within and between templates, summed over the edges of a "
        "group. The design effect is the variance of a mean score over what as many independent "
        "prompts would give: above 1, more templates help and more prompts do not. Negative: an "
        "estimate below 0, kept as it is.",
        lambda frame: frame.rename(columns=lambda name: str(name).replace("_", " ")),
    ),
    TableRecord(
        "selection",
        "Where the edge set is undecided",
        "Variance that selection adds (L3), Σ p(1−p) over edges with p the share of runs that "
        "keep the edge, the number of edges by which two runs are expected to differ, and which "
        "class of edges it comes from.",
        selection_rows,
    ),
    TableRecord(
        "agreement",
        "Other ways to compare circuits",
        "Mean over pairs of runs. Rank measures see the order of all edges, weighted tau and RBO "
        "mostly that of the strongest; the overlap coefficient and the size-matched Jaccard are "
        "fair to circuits of different size. Chance by layer and type: Jaccard of random sets with "
        "as many edges of each kind. Equal error: the runs within .05 of the median circuit error. "
        "The medoid is the run closest to the others: our reading of the “median circuit”.",
        renamed(
            {
                "axis": "Perturbation",
                "runs": "Runs",
                "spearman": "Spearman",
                "weighted_tau": "Weighted τ",
                "rbo": "RBO",
                "overlap_coefficient": "Overlap coefficient",
                "size_matched_jaccard": "Jaccard, size-matched",
                "jaccard_to_medoid": "Jaccard to the medoid",
                "chance_stratified": "Chance by layer and type",
                "jaccard_same_error": "Jaccard at equal error",
                "phi_same_error": "φ at equal error",
            }
        ),
    ),
    TableRecord(
        "choices",
        "Which analytic choice matters?",
        "Variance over every full grid of choices that was scored (L4), by choice and interaction: "
        "Sobol shares sum to 1 over the effects of one grid; the total share of a choice counts "
        "its interactions too. A grid names its methods where the audited one is not among them. "
        "Moment estimates may be negative.",
        renamed(
            {
                "response": "Of",
                "over": "Grid",
                "effect": "Effect",
                "variance": "Variance",
                "share": "Share",
                "total_share": "Total share",
                "negative": "Negative",
                "how": "How",
            }
        ),
    ),
    TableRecord(
        "decision_study",
        "What more data would buy",
        "Standard error of an edge's score, the median over kept edges, with other numbers of "
        "templates and of prompts per template.",
        renamed(
            {
                "templates": "Templates",
                "prompts_per_template": "Prompts per template",
                "prompts": "Prompts",
                "se": "SE",
            }
        ),
    ),
    TableRecord(
        "chance_edges",
        "How many kept edges could be chance?",
        "Edges kept in at least this share of half-samples, and bounds on the expected number of "
        "those that no selection above chance would explain (Shah and Samworth 2013).",
        renamed(
            {
                "threshold": "Kept in at least",
                "kept": "Edges",
                "worst_case": "Worst case",
                "unimodal": "Unimodal",
                "r_concave": "r-concave",
            }
        ),
    ),
    TableRecord(
        "certificates",
        "Edges certified against deleted prompts",
        "Edges voted in or out by samples from which each prompt is deleted with this probability. "
        "A certified edge keeps its vote whatever so many prompts (the radius) are edited to; the "
        "others are left open.",
        renamed(
            {
                "p_delete": "Deletion probability",
                "replicates": "Replicates",
                "inside": "Certified inside",
                "outside": "Certified outside",
                "abstained": "Left open",
                "radius": "Radius, median",
                "largest_radius": "Radius, largest",
            }
        ),
    ),
)

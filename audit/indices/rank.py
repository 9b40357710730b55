"""Agreement of rankings: Spearman without pairs, AUROC, Kendall, weighted tau, RBO, top-k lists.

Spearman, AUROC and average precision rest on one definition of weighted mid-ranks, for one score
vector and for thousands of columns: with R_i the weight strictly below value i plus half the weight
tied with it, AUROC of every label follows from one sort and one matrix product.

Plain Spearman over tens of thousands of edges is dominated by near-zero ones: report weighted tau
or RBO on |score|, or Spearman on the union of the circuits, and say signed or absolute.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import weightedtau

from circuitvar.audit import intervals
from circuitvar.audit.types import Estimate

Column = Float[np.ndarray, " sample"]
Each = Float[np.ndarray, " column"]
Matrix = Float[np.ndarray, "sample column"]
Scores = Float[np.ndarray, " edge"]
Truth = Bool[np.ndarray, " edge"]
Runs = Float[np.ndarray, "run edge"]
Ranks = Int[np.ndarray, " edge"]
Names = Sequence[Hashable]


def tie_ranks(values: Column, weights: Column) -> Column:
    """Weight strictly below each value plus half of the weight tied with it.

    >>> tie_ranks(np.array([3.0, 1.0, 3.0]), np.ones(3)).tolist()
    [2.0, 0.5, 2.0]
    """
    _, inverse = np.unique(values, return_inverse=True)
    mass = np.bincount(inverse, weights=weights)
    return (np.cumsum(mass) - 0.5 * mass)[inverse]


def midranks(values: Matrix, weights: Column) -> Matrix:
    """Weighted mid-ranks of every column, in (0, 1)."""
    return np.stack([tie_ranks(column, weights) for column in values.T], axis=1) / weights.sum()


def unit_ranks(values: Matrix, weights: Column) -> Matrix:
    """Weighted mid-ranks of every column, centred and scaled.

    The product of two columns is their rank correlation; NaN where a column is constant.
    """
    share = weights / weights.sum()
    ranks = midranks(values, weights)
    ranks -= share @ ranks
    ranks *= np.sqrt(share)[:, None]
    square = (ranks**2).sum(axis=0)
    return ranks / np.sqrt(np.where(square > 1e-12, square, np.nan))


def weighted_auroc(values: Column, labels: Matrix, weights: Column) -> Each:
    """P(value with label > value without) + half the tie probability, for every label column.

    Graded labels are soft. NaN where all or none have the label.
    """
    positive = weights @ labels
    pairs = positive * (weights.sum() - positive)
    # Positives ranked against positives contribute W_1^2 / 2 by symmetry.
    below = (weights * tie_ranks(values, weights)) @ labels - 0.5 * positive**2
    return np.divide(below, pairs, out=np.full(below.shape, np.nan), where=pairs > 0)


def weighted_average_precision(score: Column, labels: Matrix, weights: Column) -> Each:
    """sum_t (R_t - R_(t-1)) P_t over thresholds t of one score, for every label column.

    Ties share one threshold. NaN where none has the label.
    """
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    hits = np.cumsum((weights[:, None] * labels)[order], axis=0)[ends]
    calls = np.cumsum(weights[order])[ends][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(calls > 0, hits / calls, 0.0)
        gain = np.diff(hits, axis=0, prepend=0) / hits[-1]
        return (gain * precision).sum(axis=0)


def auroc(scores: Scores, truth: Truth) -> float:
    """Probability that a true edge outranks another edge, ties counting half (Mann-Whitney).

    >>> auroc(np.array([3.0, 2.0, 1.0, 0.0]), np.array([True, False, True, False]))
    0.75

    Raises
    ------
    ValueError
        Shapes differ, or no edge or every edge is true.
    """
    return float(weighted_auroc(scores, _labels(scores, truth), np.ones(len(scores)))[0])


def average_precision(scores: Scores, truth: Truth) -> float:
    """Mean over true edges of the precision at their score; tied edges share one precision.

    AP = sum_t (R_t - R_(t-1)) P_t over thresholds t, without interpolation.

    >>> round(average_precision(np.array([3.0, 2.0, 1.0]), np.array([True, False, True])), 4)
    0.8333

    Raises
    ------
    ValueError
        Shapes differ, or no edge or every edge is true.
    """
    labels = _labels(scores, truth)
    return float(weighted_average_precision(scores, labels, np.ones(len(scores)))[0])


def _labels(scores: np.ndarray, truth: np.ndarray) -> Matrix:
    if scores.shape != truth.shape or not 0 < truth.sum() < truth.size:
        raise ValueError(
            f"{scores.size} scores and {int(truth.sum())} true edges of {truth.size}; give one "
            "score per edge, and a circuit that is neither empty nor everything"
        )
    return truth[:, None].astype(float)


def spearman(a: Scores, b: Scores, *, only: Bool[np.ndarray, " edge"] | None = None) -> float:
    """Rank correlation, ties at mid-ranks, optionally on some edges only. NaN for constant scores.

    >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])), 6)
    -1.0
    """
    if only is not None:
        a, b = a[only], b[only]
    first, second = _unit_ranks(np.stack([a, b]))
    return float(first @ second)


def weighted_tau(a: Scores, b: Scores) -> float:
    """Weighted Kendall tau of |score| (Vigna 2015; additive hyperbolic weights 1/(rank + 1)).

    So exchanges near the top count most. NaN for constant scores.
    """
    first, second = np.abs(a), np.abs(b)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(weightedtau(first, second)[0])  # pyright: ignore[reportArgumentType]


def mean_spearman(scores: Runs) -> float:
    """Mean Spearman over all pairs of B runs without forming pairs.

    rho = (||sum_b z_b||² - B) / (B (B - 1)), z_b the centred unit-norm ranks of run b.
    """
    runs = len(scores)
    if runs < 2:
        return float("nan")
    total = _unit_ranks(scores).sum(axis=0)
    return float((total @ total - runs) / (runs * (runs - 1)))


def mean_spearman_of_runs(scores: Runs, *, level: float = 0.95) -> Estimate:
    """`mean_spearman` of independent runs with the row jackknife t(M-1) interval.

    When all runs rank alike the SE is 0; the lower end is then (1 - level)^(2/(M-1)), as for phi:
    a pair of runs that does not is taken to be uncorrelated.
    """
    runs, unit, name = len(scores), _unit_ranks(scores), "mean Spearman"
    value = mean_spearman(scores)
    if runs > 2 and value > 1 - 1e-9:
        return intervals.all_runs_equal(name, runs, level)
    if runs < 3:
        return intervals.without_interval(name, value, runs, level)
    total = unit.sum(axis=0)
    rest = total @ total - 2 * unit @ total + 1
    se = intervals.row_jackknife_se((rest - (runs - 1)) / ((runs - 1) * (runs - 2)))
    how = "row jackknife t"
    found = intervals.of_runs(name, value, runs, level, se=se, interval=how, kind="runs")
    return intervals.t_interval(found, df=runs - 1, bounds=(-1.0, 1.0))


def kendall_w(scores: Runs) -> float:
    """Kendall's coefficient of concordance, from rho = (B W - 1) / (B - 1)."""
    runs = len(scores)
    return float((mean_spearman(scores) * (runs - 1) + 1) / runs)


def _unit_ranks(scores: Runs) -> Runs:
    return unit_ranks(scores.T, np.ones(scores.shape[1])).T


def rbo(a: Scores, b: Scores, *, depth: int | None = None, p: float | None = None) -> float:
    """Extrapolated rank-biased overlap of the orders by |score|, ties broken by edge index.

    RBO_ext = X_k/k p^k + (1-p)/p sum_{d<=k} X_d/d p^d, X_d the overlap of the two top-d lists
    (Webber, Moffat and Zobel 2010). `depth` k defaults to all edges. The persistence `p` decides
    how deep the comparison looks: the common 0.9 puts 99 % of the weight on the top 30, useless for
    a circuit of 1000 edges; the default, 1 - 1/k, puts 85 % on the top k.

    >>> round(rbo(np.array([3.0, 2.0, 1.0]), np.array([3.0, 1.0, 2.0]), p=0.9), 6)
    0.955
    """
    r1, r2 = ranks(a), ranks(b)
    k = len(r1) if depth is None else depth
    if not 1 <= k <= len(r1):
        raise ValueError(f"depth is {k}; choose between 1 and the {len(r1)} edges ranked")
    p = 1 - 1 / k if p is None else p
    if not (0 < p < 1 or (p == 0 and k == 1)):
        raise ValueError(f"p is {p}; it lies strictly between 0 and 1, e.g. 1 - 1/{max(k, 2)}")
    overlap = np.cumsum(np.bincount(np.maximum(r1, r2), minlength=k))[:k]
    if p == 0:
        return float(overlap[0])
    d = np.arange(1, k + 1)
    agreement = overlap / d
    total = agreement[-1] * p**k + (1 - p) * (agreement @ p ** (d - 1))
    return min(float(total), 1.0)  # equal rankings may round above it


def ranks(scores: Scores) -> Ranks:
    """0-based rank of each edge by |score|, largest first, ties by edge index."""
    order = np.argsort(-np.abs(scores), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank


def _positions(first: Names, second: Names) -> tuple[Ranks, Ranks, int]:
    k = len(first)
    if len(second) != k or k == 0:
        raise ValueError(f"lists hold {k} and {len(second)} edges; give two top-k lists of one k")
    if len(set(first)) != k or len(set(second)) != k:
        raise ValueError("a list names an edge twice; a top-k list has k different edges")
    union = list(dict.fromkeys([*first, *second]))
    place = [{item: rank for rank, item in enumerate(items)} for items in (first, second)]
    r1, r2 = (np.array([where.get(item, k) for item in union]) for where in place)
    return r1, r2, k


def kendall_distance(first: Names, second: Names, *, penalty: float = 0.5) -> float:
    """K^(p) / (k² + p k (k - 1)): contradicted pairs over the union of two top-k lists, best first.

    Fagin, Kumar and Sivakumar, Comparing top k lists (2003): 0 for identical lists, 1 for disjoint
    ones. A pair counts 1 when one list contradicts the order of the other (an absent edge ranks
    below the present ones) and `penalty` when both its edges are absent from one list.

    >>> kendall_distance("abc", "cba")
    0.25
    """
    r1, r2, k = _positions(first, second)
    d1 = np.sign(r1[:, None] - r1[None, :])
    d2 = np.sign(r2[:, None] - r2[None, :])
    upper = np.triu_indices(len(r1), 1)
    contradicted = (d1 * d2 < 0)[upper].sum()
    unknown = ((d1 == 0) | (d2 == 0))[upper].sum()
    return float((contradicted + penalty * unknown) / (k * k + penalty * k * (k - 1)))


def footrule_distance(first: Names, second: Names) -> float:
    """sum |r1 - r2| / (k (k + 1)) with absent edges placed at k + 1 (Fagin et al. 2003).

    >>> round(footrule_distance("abc", "cba"), 4)
    0.3333
    """
    r1, r2, k = _positions(first, second)
    return float(np.abs(r1 - r2).sum() / (k * (k + 1)))

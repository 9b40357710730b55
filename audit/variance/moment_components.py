"""Variance components of any design: unbalanced, crossed, nested, with missing cells.

One quadratic form per factor plus the total; their expectations depend on the design only, so a
single small solve serves all edges (the Henderson-I family). Equals ANOVA on balanced data and is
unbiased on the rest.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from circuitvar.audit.resampling import columns
from circuitvar.audit.variance.variance_components import Components


def moment_components(
    values: Float[np.ndarray, "row edge"], factors: Mapping[str, Sequence[object] | np.ndarray]
) -> Components:
    """Components of the named random factors and the residual, for all edges.

    q_j = y'(P_j - P_mean) y with P_j the averaging projector of factor j, and the total;
    E[q_j] = sum_i tr((P_j - P_mean) Z_i Z_i') var_i. An interaction is a factor like another: see
    `cross`.

    >>> y = np.array([[3.0], [5], [4], [6], [9], [9]])
    >>> f = {"draw": [0, 0, 0, 1, 1, 1], "prompt": [0, 1, 2, 0, 1, 2]}
    >>> moment_components(y, f).values.ravel().round(4).tolist()
    [7.8333, 1.5, 0.5]

    Raises
    ------
    ValueError
        When a factor does not vary, or factors are confounded so that no solution exists.
    """
    rows, n_edges = values.shape
    codes = {name: _codes(name, labels, rows) for name, labels in factors.items()}
    cells = np.arange(rows)
    members = [csr_array((np.ones(rows), (code, cells))) for code in codes.values()]
    expected = _expectations(members, rows)
    if np.linalg.cond(expected) > 1e10:
        raise ValueError(
            f"factors {', '.join(codes)} are confounded with each other or with the residual in "
            "this design; cross them, replicate a cell, or drop one"
        )
    forms = np.empty((len(members) + 1, n_edges))
    sizes = [np.asarray(member.sum(axis=1)).ravel() for member in members]
    for part in columns(n_edges):
        block = values[:, part].astype(np.float64)
        block = block - block.mean(axis=0)
        for j, (member, size) in enumerate(zip(members, sizes, strict=True)):
            sums = member @ block
            forms[j, part] = np.einsum("ae,ae->e", sums / size[:, None], sums)
        forms[-1, part] = np.einsum("ie,ie->e", block, block)
    solved = np.linalg.solve(expected, forms)
    return Components((*codes, "residual"), solved)


def cross(*labels: Sequence[object] | np.ndarray) -> Int[np.ndarray, " row"]:
    """Level of an interaction: one code per combination that occurs.

    >>> cross([0, 0, 1, 1], ["a", "b", "a", "a"]).tolist()
    [0, 1, 2, 2]
    """
    seen: dict[tuple[object, ...], int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in zip(*labels, strict=True)])


def _codes(name: str, labels, rows: int) -> Int[np.ndarray, " row"]:
    if len(labels) != rows:
        raise ValueError(f"factor {name!r} has {len(labels)} labels for {rows} rows")
    code = cross(labels)
    if code.max() == 0:
        raise ValueError(f"factor {name!r} has a single level; vary it or leave it out")
    return code


def _expectations(members: list[csr_array], rows: int) -> Float[np.ndarray, "form component"]:
    """C_ji = tr((P_j - P_mean) Z_i Z_i'); last row the total form, last column the residual."""
    number = len(members)
    expected = np.empty((number + 1, number + 1))
    for i, factor in enumerate(members):
        mean = float((np.asarray(factor.sum(axis=1)) ** 2).sum()) / rows
        for j, form in enumerate(members):
            shared = (form @ factor.T).toarray()
            expected[j, i] = (shared**2 / shared.sum(axis=1, keepdims=True)).sum() - mean
        expected[number, i] = rows - mean
    for j, form in enumerate(members):
        expected[j, number] = len(np.asarray(form.sum(axis=1))) - 1
    expected[number, number] = rows - 1
    return expected

"""Boolean functions for small MLPs as truth tables: row r holds the output on the bits of r.

The first input is the highest bit. Not prompts: `audit.identifiability` trains nets on them. Names
and definitions of the gate set follow the code released with arXiv 2502.20914.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Int

GATES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "and": (0, 0, 0, 1),
        "or": (0, 1, 1, 1),
        "imp": (1, 1, 0, 1),
        "nand": (1, 1, 1, 0),
        "nor": (1, 0, 0, 0),
        "nimp": (0, 0, 1, 0),
        "xor": (0, 1, 1, 0),
        "majority": (0, 0, 0, 1, 0, 1, 1, 1),
        "parity": (0, 1, 1, 0, 1, 0, 0, 1),
        "full_adder": (0, 1, 1, 0, 1, 0, 0, 1),
        "exact_2": (0, 0, 0, 1, 0, 1, 1, 0),
    }
)
"""`full_adder` is the sum bit, so its table is the parity table."""


def truth_table(gate: str | Sequence[int]) -> Int[np.ndarray, " row"]:
    """Truth table of a named gate, or of a user's own table of 2^n zeros and ones.

    >>> truth_table("xor").tolist(), truth_table([1, 0]).tolist()
    ([0, 1, 1, 0], [1, 0])

    Raises
    ------
    ValueError
        Unknown name, a length that is not 2^n with n >= 1, entries other than 0 and 1.
    """
    if isinstance(gate, str):
        if gate.lower() not in GATES:
            raise ValueError(
                f"unknown gate {gate!r}; use one of {', '.join(GATES)} or pass a truth table"
            )
        return np.array(GATES[gate.lower()], dtype=np.int64)
    raw = np.asarray(gate)
    if raw.ndim != 1 or raw.size < 2 or raw.size & (raw.size - 1):
        raise ValueError(
            f"a truth table needs 2, 4, 8, ... entries in one row; got shape {raw.shape}"
        )
    if not np.isin(raw, (0, 1)).all():
        odd = raw[~np.isin(raw, (0, 1))][0]
        raise ValueError(f"a truth table holds only 0 and 1; got {odd!r}, round it yourself")
    return raw.astype(np.int64)


def input_rows(n_inputs: int) -> Float[np.ndarray, "row input"]:
    """All 2^n Boolean inputs in the order of the truth table.

    >>> input_rows(2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    bits = np.arange(2**n_inputs)[:, None] >> np.arange(n_inputs - 1, -1, -1)
    return (bits & 1).astype(np.float64)

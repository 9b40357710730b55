"""How many edges a circuit keeps, where nobody says."""

SHARE = 10
MOST = 200
SIZE_IF_OMITTED = f"a tenth of the graph and at most {MOST}"
"""`circuit_size` without a size, in words."""


def size_of_share(n_edges: int, share: float) -> int:
    """Edges of a share of the graph: the whole part, so that a share is an upper bound (MIB).

    >>> size_of_share(32491, 0.001), size_of_share(32491, 0.002), size_of_share(32491, 1.0)
    (32, 64, 32491)
    """
    return int(share * n_edges)


def circuit_size(n_edges: int, size: int | None = None) -> int:
    """Edges to keep: as asked, else a tenth of the graph and at most 200.

    Raises
    ------
    ValueError
        More edges were asked for than the graph has.
    """
    if size is None:
        return max(1, min(MOST, n_edges // SHARE))
    if size > n_edges:
        raise ValueError(f"size = {size} but the graph has {n_edges} edges; ask for fewer")
    return size

"""Work on blocks of units in parallel, with a bounded number of blocks in memory.

Threads, not processes: the work is matrix products and array operations, which release the
interpreter lock, and memory maps need no copying. Blocks do not depend on each other and results
come back in order, so the number of workers changes no number.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from circuitvar.audit.neurons.data import ProbingSet, unit_chunks

Result = TypeVar("Result")


def map_unit_blocks(
    data: ProbingSet, size: int, work: Callable[[slice, np.ndarray], Result], *, workers: int = 1
) -> Iterator[tuple[slice, Result]]:
    """Apply `work(units, block)` to every block of `size` units, in order.

    Set OMP_NUM_THREADS=1 when `workers` is above 1: a product that starts threads of its own
    competes with the other workers.

    Raises
    ------
    ValueError
        Fewer than 1 worker, or a block with NaN or infinite activations.

    >>> from circuitvar.audit.neurons.data import probing_set
    >>> data = probing_set(np.eye(4), np.eye(4))
    >>> [float(total) for _, total in map_unit_blocks(data, 3, lambda _, block: block.sum())]
    [3.0, 1.0]
    """
    if workers < 1:
        raise ValueError(f"{workers} workers; pass at least 1.")
    if workers == 1:
        for units, block in unit_chunks(data, size):
            yield units, work(units, block)
        return
    waiting: deque[tuple[slice, Future[Result]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for units, block in unit_chunks(data, size):
                waiting.append((units, pool.submit(work, units, block)))
                if len(waiting) > workers:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            for _, future in waiting:
                future.cancel()

"""`labels`: do your activations support the labels that another tool gave?"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from circuitvar.audit.neurons.data import READERS, open_array, probing_set
from circuitvar.audit.neurons.run import NeuronOptions, audit_labels, audit_neurons
from circuitvar.reports.options import LabelArrays
from circuitvar.reports.page import check_writable
from circuitvar.tasks.lookup import unknown
from circuitvar.tasks.text_files import lines_of, read_text


def run_labels(path: Path, layout: str, arrays: LabelArrays, *, out: Path) -> pd.DataFrame:
    """Audit every label of a file against activations and concepts; write `labels.csv`.

    Raises
    ------
    ValueError
        An unknown layout, arrays that do not fit each other, or a file that names none of the
        units.
    """
    if layout not in READERS:
        raise unknown("layout of labels", layout, READERS)
    check_writable(out)
    labels = READERS[layout](path)
    concepts, names = _concepts(arrays)
    groups = None if arrays.groups is None else open_array(arrays.groups)
    data = probing_set(open_array(arrays.activations), concepts, names=names, groups=groups)
    units = range(data.n_units) if arrays.units is None else open_array(arrays.units).tolist()
    audit = audit_neurons(data, NeuronOptions(seed=arrays.seed))
    found = audit_labels(data, audit, labels, list(units), layer=arrays.layer)
    out.mkdir(parents=True, exist_ok=True)
    found.to_csv(out / "labels.csv", index=False)
    return found


def _concepts(arrays: LabelArrays) -> tuple[Any, list[str]]:
    """The concept matrix, and the name of every column."""
    if arrays.concepts.suffix.lower() == ".csv":
        frame = pd.read_csv(arrays.concepts)
        return frame.to_numpy(dtype=float), [str(name) for name in frame.columns]
    if arrays.names is None:
        raise ValueError(f"{arrays.concepts} does not name its concepts; give --names FILE")
    names = [line.strip() for line in lines_of(read_text(arrays.names)) if line.strip()]
    concepts = open_array(arrays.concepts)
    if np.ndim(concepts) != 2 or concepts.shape[1] != len(names):
        raise ValueError(
            f"{arrays.names} has {len(names)} names and {arrays.concepts} the shape "
            f"{np.shape(concepts)}; it must be [sample, concept], one name per column"
        )
    return concepts, names

"""The one check every report function makes: is what I was given what I draw?"""

from collections.abc import Iterable

import pandas as pd


def require_columns(frame: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """Stop when the frame is empty or lacks a column.

    Raises
    ------
    ValueError
        Names the missing columns, the ones that were received and what they are for.
    """
    columns = list(columns)
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(
            f"the {what} needs the columns {columns}; missing {missing} from "
            f"{[str(name) for name in frame.columns]}"
        )
    if frame.empty:
        raise ValueError(f"the {what} was given a frame with no rows; leave the table out instead")

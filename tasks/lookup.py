"""Names that users type: the record of that name, the nearest there is, or their own object."""

import importlib
import sys
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol, TypeVar


class Keyed(Protocol):
    """A record with a name."""

    @property
    def key(self) -> str:
        """Its name."""
        ...


Record = TypeVar("Record", bound=Keyed)


def unknown(kind: str, key: str, known: Collection[str], *, also: str = "") -> ValueError:
    """The error for a name that nothing has, with the nearest one that something has.

    >>> str(unknown("task", "ioj", ["ioi", "capital"]))
    "unknown task 'ioj'; choose one of ioi, capital; did you mean 'ioi'?"
    """
    return ValueError(
        f"unknown {kind} {key!r}; choose one of {', '.join(known)}{also}{near(key, known)}"
    )


def near(key: str, known: Collection[str]) -> str:
    """The end of a sentence that names the nearest known name; empty where none is near.

    >>> near("metod", ["method", "data"])
    "; did you mean 'method'?"
    """
    found = get_close_matches(key, known, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def by_key(kind: str, key: str, records: Sequence[Record], *, also: str = "") -> Record:
    """The record called `key`.

    Raises
    ------
    ValueError
        No record has this key; names the nearest.
    """
    for record in records:
        if record.key == key:
            return record
    raise unknown(kind, key, [record.key for record in records], also=also)


def load_object(kind: str, name: str, holds: type) -> Any:
    """The user's own object `module:attribute`; modules in the working directory are found too.

    `holds`: the record of this kind; those in the module are listed where the attribute is missing.
    Importing the module runs the user's code: only do so for code you trust.

    Raises
    ------
    ValueError
        The name has another form, or the module or attribute is missing.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise ValueError(f"cannot load {kind} {name!r}: write it as module:attribute")
    here = str(Path.cwd())
    added = here not in sys.path
    if added:  # a console script does not look into the working directory by itself
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(
            f"{kind} {name!r} could not be imported: {error}; run from its folder or install it"
        ) from None
    finally:
        if added:
            sys.path.remove(here)
    if not hasattr(module, attribute):
        there = [key for key, value in vars(module).items() if isinstance(value, holds)]
        raise ValueError(
            f"{kind} {name!r} could not be imported: {module_name!r} has no {attribute!r}; "
            f"{kind}s in it: {', '.join(there) or 'none'}"
        )
    return getattr(module, attribute)


def title_of(kind: str, name: str, function: Any) -> str:
    """What to call a user's function: the first line of its docstring, or its name.

    Raises
    ------
    ValueError
        It is no function.
    """
    if not callable(function):
        raise ValueError(f"{kind} {name!r} is a {type(function).__name__}; it must be a function.")
    return (function.__doc__ or name.partition(":")[2]).strip().splitlines()[0]

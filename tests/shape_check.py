"""Checks the shapes and number types of arrays while the tests run, and only then.

jaxtyping asks for a type checker for every function of the package. This one is beartype on the
annotations that hold an array; other types are pyright's, which need not import a thing for it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, config

_check = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""An int is a float, as PEP 484 has it."""


def checked(function: Any) -> Any:
    """`function`, with its array arguments and result checked at every call."""
    if isinstance(function, type) or not getattr(function, "__annotations__", None):
        return function
    function.__annotations__ = {
        name: hint for name, hint in function.__annotations__.items() if _holds_array(hint)
    }
    return _check(function) if function.__annotations__ else function


def _holds_array(hint: Any) -> bool:
    """Whether an annotation is an array of a stated shape, or a union or tuple with one."""
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(_holds_array(part) for part in get_args(hint)) and not _unknown(hint)


def _unknown(hint: Any) -> bool:
    """Whether an annotation holds a name that is imported for type checkers alone."""
    return (
        type(hint).__name__ == "ForwardRef"
        or isinstance(hint, str)
        or any(_unknown(part) for part in get_args(hint))
    )


@contextmanager
def wrong_shapes() -> Iterator[None]:
    """Lets a test pass arrays of wrong shapes, to see what users are told."""
    config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        config.update("jaxtyping_disable", False)

"""pytest plugin for authors of attribution methods.

pytest_plugins = ["circuitvar.reports.compare.pytest_plugin"]     # in conftest.py

def test_my_method(circuitvar_assert_method_ok):
    circuitvar_assert_method_ok(my_method)
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from circuitvar.reports.compare.gate import Gate
    from circuitvar.reports.compare.method_check import Case


@pytest.fixture(scope="session")
def circuitvar_cases() -> "tuple[Case, ...]":
    """Planted models and the pocket model with prompts and exact effects, made once per session."""
    from circuitvar.reports.compare.method_check import known_cases

    return known_cases()


@pytest.fixture
def circuitvar_assert_method_ok(circuitvar_cases: "tuple[Case, ...]") -> "Callable[..., Gate]":
    """`assert_method_ok` on the shared cases."""
    from circuitvar.reports.compare.method_check import assert_method_ok

    def check(method, **options) -> "Gate":
        return assert_method_ok(method, **{"cases": circuitvar_cases, **options})

    return check

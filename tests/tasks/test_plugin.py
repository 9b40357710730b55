"""Loading a user's task by `module:attribute`."""

import sys

import pytest

from circuitvar.tasks.plugin import load_task

MODULE = """
from dataclasses import replace
from circuitvar.tasks.language.ioi import IOI
MINE = replace(IOI, key="mine")
def make():
    return MINE
OTHER = 3
"""


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    (tmp_path / "my_circuitvar_task.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("my_circuitvar_task", None)


@pytest.mark.parametrize("attribute", ["MINE", "make"])
def test_a_task_or_a_function_in_the_working_folder(user_folder, attribute):
    before = list(sys.path)
    assert load_task(f"my_circuitvar_task:{attribute}").key == "mine"
    assert sys.path == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_circuitvar_task", "write it as module:attribute"),
        (":MINE", "write it as module:attribute"),
        ("no_such_module_here:X", "No module named 'no_such_module_here'"),
        ("my_circuitvar_task:NOPE", "has no 'NOPE'; tasks in it: IOI, MINE"),
        ("my_circuitvar_task:OTHER", "it is a int, not a circuitvar Task"),
    ],
)
def test_names_that_do_not_load(user_folder, name, message):
    with pytest.raises(ValueError, match=message):
        load_task(name)

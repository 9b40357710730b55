"""The house rules that a reader of one file cannot see: small rooms, doors, no way back.

Imports are read from the source, so lazy and type-only ones count, and no model is loaded.
"""

import ast
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("tasks", "circuits", "audit", "reports")
MOST = 16
"""Python files in one folder, the door included."""
CORRIDORS = set(FLOORS) | {"circuits/methods", "audit/neurons", "audit/identifiability"}
CORRIDORS |= {"reports/commands", "reports/commands/make", "reports/commands/read"}
"""Folders of rooms. A file that stands in one is a room by itself, as each command is."""


def files(*folders):
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*.py") if path.is_file()
    )


SOURCES = {path.relative_to(ROOT).with_suffix("").as_posix(): path for path in files(*FLOORS)}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}
DOORS = sorted(name for name in SOURCES if name.endswith("/__init__"))


def module_of(name):
    """The file that `circuitvar.<name>` is, or None."""
    path = name.removeprefix("circuitvar.").replace(".", "/")
    return next((file for file in (path, f"{path}/__init__") if file in SOURCES), None)


def exported(door):
    return {
        alias.asname or alias.name
        for node in ast.walk(TREES[door])
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


EXPORTED = {door: exported(door) for door in DOORS}


def imports(name):
    """`(line, file)` of each import in a file, wherever in the file it stands."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            door = EXPORTED.get(module_of(node.module), ())
            full = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            # A door's name may be that of a file behind it: then the door gives the function.
            found = [
                target if module_of(target) and short not in door else node.module
                for short, target in full.items()
            ]
        else:
            continue
        for target in found:
            if target.startswith("circuitvar.") and (file := module_of(target)):
                yield node.lineno, file


ARROWS = {name: list(imports(name)) for name in SOURCES}


def test_no_folder_holds_more_than_a_reader_can_see_at_once():
    found = Counter(path.parent.relative_to(ROOT).as_posix() for path in files(*FLOORS, "tests"))
    assert {folder: n for folder, n in found.items() if n > MOST} == {}


def test_no_file_imports_itself_over_others():
    graph = nx.DiGraph((name, file) for name, arrows in ARROWS.items() for _, file in arrows)
    assert [sorted(loop) for loop in nx.strongly_connected_components(graph) if len(loop) > 1] == []


def test_rooms_are_entered_by_their_door():
    past = [
        f"{name}.py:{line} imports {file}"
        for name, arrows in ARROWS.items()
        for line, file in arrows
        if not file.endswith("/__init__")
        and (room := file.rpartition("/")[0]) not in CORRIDORS
        and room != name.rpartition("/")[0]
    ]
    assert past == []


@pytest.mark.parametrize("door", DOORS)
def test_a_door_says_its_purpose_and_names_what_exists(door):
    tree = TREES[door]
    purpose, *more = (ast.get_docstring(tree) or "").splitlines()
    assert purpose.endswith(".") and (not more or not more[0])
    assigned = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    named = ast.literal_eval(assigned["__all__"]) if "__all__" in assigned else []
    assert len(named) == len(set(named))
    assert set(named) <= EXPORTED[door] | defined | set(assigned)
    if door.rpartition("/")[0] not in CORRIDORS:
        assert named, f"{door}.py has no __all__"


@pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="not a checkout"
)
def test_no_symbolic_link_is_committed():
    # A link is a text file on Windows and in some archives.
    listed = subprocess.run(
        ["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert [line for line in listed.splitlines() if line.startswith("120000")] == []

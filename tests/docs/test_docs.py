"""The documentation says what the code does: pages are current, examples run, links resolve."""

import ast
import json
import re
import shlex
import sys
from pathlib import Path

import matplotlib
import pytest
import yaml

from circuitvar.circuits.find.finders import FINDERS
from circuitvar.circuits.methods.catalog import METHODS, get_method
from circuitvar.circuits.types import Method
from circuitvar.tasks.catalog import TASKS
from circuitvar.tasks.planted.catalog import PLANTED
from circuitvar.tasks.tokens.metrics import METRICS
from tests.docs.toy_docs import DOCS, LINK, ROOT, anchors, blocks, generator, pages, prose

matplotlib.use("Agg")
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def runnable() -> list[Path]:
    return [p for p in pages() if any(b.language == "python" for b in blocks(p))]


def commands_in(path: Path) -> list[str]:
    """Command lines of the shell blocks of a page."""
    lines = [line for b in blocks(path) if b.language == "bash" for line in b.code.splitlines()]
    return [line for line in lines if line.startswith("circuitvar")]


def test_generated_pages_are_current():
    for page, text in generator().pages().items():
        committed = (DOCS / page).read_text(encoding="utf-8")
        assert committed == text.rstrip() + "\n", f"{page} is stale: run python docs/generate.py"


def test_every_command_has_a_section_and_help():
    docs = generator()
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    found = dict(docs.walk(docs.click_app()))
    assert len(found) >= 7
    for command, record in found.items():
        assert f"## circuitvar {command}\n" in text
        assert record.help, f"{command} has no help"
        for parameter in record.params:
            assert parameter.name == "help" or parameter.help, f"{command} {parameter.name}"


@pytest.mark.parametrize(
    ("page", "keys"),
    [
        ("methods.md", [m.key for m in (*METHODS, *FINDERS)]),
        ("tasks.md", [t.key for t in (*TASKS, *METRICS, *PLANTED)]),
    ],
    ids=["methods", "tasks"],
)
def test_every_key_is_documented(page, keys):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert [key for key in keys if f"`{key}`" not in text] == []


def test_the_leaderboard_has_every_method_and_exact_patching_is_perfect():
    text = (DOCS / "leaderboard.md").read_text(encoding="utf-8")
    cases = text.count("\n## ")
    assert cases >= 3
    for method in METHODS:
        assert text.count(f"| `{method.key}` |") == cases, "run python docs/generate.py"
    assert text.count("| `exact` | 1.00 | 1.00 | 1.00 |") == cases


def test_method_notes_have_no_leftovers():
    written = yaml.safe_load((DOCS / "method_notes.yaml").read_text(encoding="utf-8"))
    assert list(written["methods"]) == [m.key for m in METHODS]
    assert list(written["finders"]) == [f.key for f in FINDERS]
    for card in (*written["methods"].values(), *written["finders"].values()):
        assert set(card) == {"formula", "fails"}


def test_a_method_without_a_note_is_named(monkeypatch):
    stray = Method("stray", "Stray", METHODS[0].fn, "nobody")
    monkeypatch.setattr("circuitvar.circuits.methods.catalog.METHODS", (*METHODS, stray))
    with pytest.raises(KeyError, match="stray"):
        generator().methods_page()


@pytest.mark.parametrize("page", pages(), ids=name)
def test_links_resolve(page):
    made = {DOCS / path for path in generator().api_pages()}
    for target in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists() or file in made, f"{name(page)} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{name(page)}: no heading for {target}"


def test_every_page_is_in_the_navigation():
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in pages():
        assert f" {page.relative_to(DOCS).as_posix()}\n" in text, page


@pytest.mark.parametrize("page", pages(), ids=name)
def test_code_blocks_say_what_they_are(page):
    for block in blocks(page):
        assert block.language, f"{name(page)}:{block.line} has no language"
        assert block.language.isalpha(), f"{name(page)}:{block.line} {block.language!r}"
        if block.language == "python":
            ast.parse(block.code)


@pytest.mark.parametrize("page", runnable(), ids=name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    """Blocks of a page run in order and share their names; `no-run` blocks only have to parse.

    Figure files, which no page reads, are left out: drawing them is tested elsewhere and slow.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("circuitvar.reports.page.write._write_figures", lambda *_: None)
    names: dict[str, object] = {"__name__": "docs"}
    for block in blocks(page):
        if block.language == "python" and block.runs:
            code = "\n" * (block.line - 1) + block.code
            exec(compile(code, name(page), "exec"), names)


def parse_command(line: str) -> None:
    """Let the command line read its arguments, without running the command."""
    docs = generator()
    words = shlex.split(line)[1:]
    found = dict(docs.walk(docs.click_app()))
    command = next((c for c in sorted(found, key=len) if words[: len(c.split())] == c.split()), "")
    assert command, f"no such command: {line}"
    found[command].make_context(command, words[len(command.split()) :])


@pytest.mark.parametrize("page", [p for p in pages() if commands_in(p)], ids=name)
def test_shell_commands_are_understood(page):
    for line in commands_in(page):
        if "--help" not in line and "--version" not in line:
            parse_command(line)


def test_an_unknown_option_is_caught():
    with pytest.raises(Exception, match="--no-such"):
        parse_command("circuitvar audit ioi --no-such 3")


def test_an_own_method_is_found_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [p for p in sys.path if p not in ("", str(tmp_path))])
    code = "def flat(model, batch, *, metric, options):\n    return None\n"
    (tmp_path / "docs_own_method.py").write_text(code)
    assert get_method("docs_own_method:flat").key == "docs_own_method:flat"
    assert str(tmp_path) not in sys.path
    with pytest.raises(ValueError, match="could not be imported: No module named 'nowhere'"):
        get_method("nowhere:flat")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_notebooks_run(path, tmp_path, monkeypatch):
    """Code cells run in order in one namespace, without a Jupyter installation."""
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    names: dict[str, object] = {"__name__": "notebook"}
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{path.name}[{number}]", "exec"), names)


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_example_scripts_run(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("circuitvar.reports.page.write._write_figures", lambda *_: None)
    exec(compile(path.read_text(encoding="utf-8"), path.name, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.strip()


def test_examples_exist():
    assert len(NOTEBOOKS) >= 2
    assert len(SCRIPTS) >= 3


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/design.md", "CONTRIBUTING.md"])
def test_pages_about_the_code_name_files_that_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:tasks|circuits|audit|reports|tests|docs|benchmarks)/[\w./]*)`", text)
    assert named and [path for path in named if not (ROOT / path).exists()] == []

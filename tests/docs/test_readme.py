"""The README's Python example runs and prints what it says it prints."""

import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_python_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.splitlines()) <= 12
    assert re.findall(r"^(?:import|from) .*", code, re.MULTILINE) == ["import circuitvar as cv"]
    exec(compile(code, "README.md", "exec"), {})
    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d+ edges keep \d+% of the behaviour", first)
    assert re.fullmatch(r"phi = 0\.\d\d \[0\.\d\d, [01]\.\d\d\]", second)


def test_the_two_commands_are_makefile_targets():
    targets = README.with_name("Makefile").read_text()
    for command in re.findall(r"^make (\w+)", README.read_text(), re.MULTILINE):
        assert re.search(rf"^{command}:", targets, re.MULTILINE), command


def test_links_resolve():
    for link in re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / link).exists(), link

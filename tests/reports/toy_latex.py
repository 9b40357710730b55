"""Tables compiled by a real LaTeX, where there is one."""

import shutil
import subprocess
from pathlib import Path

import pytest

needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="no TeX installation on this machine"
)


def compile_latex(body: str, folder: Path, preamble: str = "") -> None:
    """Compile tables in the smallest document that holds them."""
    document = (
        "\\documentclass{article}\\usepackage[utf8]{inputenc}\\usepackage{booktabs}"
        f"{preamble}\\usepackage{{siunitx}}\\begin{{document}}\n{body}\\end{{document}}"
    )
    (folder / "t.tex").write_text(document, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]

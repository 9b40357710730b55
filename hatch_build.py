"""Build hook: the four folders as one import package, `circuitvar`.

An editable install gets `.src/circuitvar`, made here and not kept in git: links to the folders
(junctions on Windows, where they need no rights) and the few files of the package itself, which
pass on what `reports/front` holds. A wheel gets the folders and the same files.
`python hatch_build.py` makes the tree in a checkout that is not installed.
"""

import os
from pathlib import Path

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface as Hook
except ModuleNotFoundError:  # Run by hand, where hatchling is not needed.
    Hook = object

ROOT = Path(__file__).resolve().parent
TREE = Path(".src", "circuitvar")
FOLDERS = ("tasks", "circuits", "audit", "reports")
TOP = '''"""Error bars for circuits: the public names, loaded when they are first used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circuitvar.reports.front import *
else:
    from circuitvar.reports.front import __all__, __dir__, __getattr__
'''
PART = '"""See `{0}`."""\n\nfrom {0} import *\nfrom {0} import __all__\n'


def own_files(root: Path) -> dict[str, str]:
    """Text of each file of the package itself."""
    names = sorted(p.stem for p in (root / "reports" / "front").glob("[a-z]*.py"))
    parts = {f"{name}.py": PART.format(f"circuitvar.reports.front.{name}") for name in names}
    return {"__init__.py": TOP, "py.typed": "", **parts}


def make_tree(root: Path) -> dict[str, str]:
    """Make or mend `.src/circuitvar`; the package's own files and where each goes in a wheel."""
    tree, own = root / TREE, own_files(root)
    tree.mkdir(parents=True, exist_ok=True)
    for name, text in own.items():
        (tree / name).write_text(text, encoding="utf-8")
    for old in {file.name for file in tree.glob("*.py")} - set(own):
        (tree / old).unlink()
    for folder in FOLDERS:
        link = tree / folder
        if link.exists() and link.samefile(root / folder):
            continue
        if os.path.lexists(link):
            link.unlink()  # A link that a copy or an archive broke.
        if os.name == "nt":
            import _winapi

            _winapi.CreateJunction(str(root / folder), str(link))
        else:
            link.symlink_to(Path("..", "..", folder), target_is_directory=True)
    return {str(tree / name): f"circuitvar/{name}" for name in own}


class ImportTree(Hook):
    """Called by hatchling before it builds a wheel, an editable one too."""

    def initialize(self, version: str, build_data: dict) -> None:
        """Make the tree; put its own files into a wheel that is not editable."""
        own = make_tree(Path(self.root))
        if version != "editable":
            build_data["force_include"].update(own)


if __name__ == "__main__":
    make_tree(ROOT)

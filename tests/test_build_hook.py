"""The build hook makes the import tree of a checkout, also where a copy broke its links."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def hook():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def copy_of_the_folders(root: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", "*.safetensors")
    for folder in hook().FOLDERS:
        shutil.copytree(ROOT / folder, root / folder, ignore=ignore)


def test_a_copy_without_links_imports_from_itself(tmp_path):
    copy_of_the_folders(tmp_path)
    tree = tmp_path / ".src" / "circuitvar"
    tree.mkdir(parents=True)
    (tree / "audit").write_text("../../audit")  # What an archive makes of a link.
    (tree / "old.py").touch()
    for _ in range(2):
        in_wheel = hook().make_tree(tmp_path)
    assert sorted(in_wheel.values()) == sorted(
        f"circuitvar/{p.name}" for p in tree.iterdir() if p.is_file()
    )
    code = "import circuitvar as cv; print(cv.get_task('ioi').key, cv.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tree.parent)}, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == ["ioi", str(tree / "__init__.py")], done.stderr

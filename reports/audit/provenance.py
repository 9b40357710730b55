"""Where a number came from: versions, commit, models, device, command line."""

import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from circuitvar.circuits.model import Model

PACKAGES: tuple[str, ...] = (
    "circuitvar",
    "torch",
    "transformer-lens",
    "transformers",
    "numpy",
    "scipy",
    "pandas",
)


def provenance(model: Model, seed_models: tuple[Model, ...] = ()) -> dict[str, object]:
    """Everything needed to run an audit again, as plain JSON values."""
    return {
        "command": shlex.join(["circuitvar", *sys.argv[1:]]),
        "versions": {"python": platform.python_version(), **package_versions()},
        "commit": source_commit(),
        "platform": f"{platform.system()} {platform.machine()}",
        "model": _model(model),
        "seed_models": [_model(other) for other in seed_models],
    }


def _model(model: Model) -> dict[str, object]:
    return {
        "name": model.name,
        "sha256": model.digest,
        "device": str(model.device),
        "dtype": str(model.dtype).removeprefix("torch."),
        "edges": model.graph.n_edges,
    }


def package_versions() -> dict[str, str]:
    """Installed versions of the packages that can change a number."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def source_commit() -> str:
    """Commit of the source tree this package runs from; empty for an installed wheel."""
    folder = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

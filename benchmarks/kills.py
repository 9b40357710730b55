"""Commands killed at random moments and run again: `python benchmarks/kills.py --kills 40`.

Each command runs once undisturbed. Then, in a new folder each time, it is killed (SIGKILL) at a
random moment and run again with the same arguments; every table must equal the undisturbed one byte
by byte. At the end stored items are flipped, cut and swapped, and none may be believed.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from circuitvar.circuits.items import inspect_item, list_items

COMMANDS = {
    "audit": "audit planted-gated --model planted:gated --n 64 --exact 16 --fresh 2 --heldout 32 "
    "--bootstrap 20 --pairs 4 --quiet",
    "audit of ioi": "audit ioi --n 64 --exact 16 --fresh 2 --heldout 32 --bootstrap 20 --pairs 4 "
    "--allow-weak --quiet",
    "design": "design planted-gated --model planted:gated --plan quick --n 32 --quiet",
    "neurons": "neurons ioi --prompts 60 --heldout 30 --quiet",
    "identify": "identify 0001 --width 2 --depth 1 --seeds 3 --quiet",
    "identify on a model": "identify --model planted:gated --task planted-gated --n 16 "
    "--heldout 16 --quiet",
    "decide": "decide planted-gated --model planted:gated --n 8 --budget 640 --quiet",
}
TABLES = ("*.csv", "tables/*.csv", "*/*.csv")


def start(command: str, out: Path) -> subprocess.Popen[bytes]:
    """The command in a process of its own."""
    code = "import sys; from circuitvar.reports.commands.cli import main; sys.exit(main())"
    arguments = [sys.executable, "-c", code, *command.split(), "--out", str(out)]
    to = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(arguments, **to, env={**os.environ})


def finished(process: subprocess.Popen[bytes], out: Path) -> tuple[int, dict[str, bytes]]:
    """(exit code, every table and what was printed) of a command, at its end."""
    printed = process.communicate()[0]
    found = [path for pattern in TABLES for path in out.glob(pattern)]
    tables = {path.relative_to(out).as_posix(): path.read_bytes() for path in found}
    return process.returncode, {**tables, "printed": printed}


def killed(command: str, folder: Path, after: float) -> tuple[int, dict[str, bytes]]:
    """(exit code, tables) of a command that was killed once and run again."""
    process = start(command, folder)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return finished(start(command, folder), folder)


def believed(folder: Path, changes: int, rng: np.random.Generator) -> int:
    """How many of so many flips, cuts and swaps of stored items are believed."""
    items = [item.path for item in list_items(folder)]
    wrong = 0
    for _ in range(changes):
        path, other = (items[i] for i in rng.choice(len(items), 2, replace=len(items) < 2))
        whole = path.read_bytes()
        kind = rng.choice(["flip", "cut", "swap"])
        data = bytearray(other.read_bytes() if kind == "swap" else whole)
        at = int(rng.integers(len(data)))
        if kind == "flip":
            data[at] ^= int(rng.integers(1, 256))
        elif kind == "cut":
            del data[at:]
        path.write_bytes(bytes(data))
        wrong += not isinstance(inspect_item(path), str) and bytes(data) != whole
        path.write_bytes(whole)
    return wrong


def main() -> None:
    """Print one line per command and one for the changed items."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--only", nargs="*", choices=COMMANDS, default=list(COMMANDS))
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    warnings.simplefilter("ignore")
    root = Path(tempfile.mkdtemp())
    for name, command in ((name, COMMANDS[name]) for name in given.only):
        clock = time.monotonic()
        code, wanted = finished(start(command, root / name), root / name)
        seconds = time.monotonic() - clock
        if code:
            raise SystemExit(f"{name}: the undisturbed command ends with exit code {code}")
        equal, number = 0, given.kills // len(given.only)
        for i in range(number):
            after = seconds * float(rng.uniform(0.1, 1.0))
            code, found = killed(command, root / f"{name} {i}", after)
            equal += code == 0 and found == wanted
        print(f"{name}: {equal} of {number} re-runs finish with equal tables", flush=True)
        items = len(list_items(root / name))
        if items:
            wrong = believed(root / name, given.changes // 2, rng)
            print(f"{name}: {wrong} of {given.changes // 2} changed items believed", flush=True)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()

"""The demo as a whole process: time, memory, what it computed, and whether it says the same twice.

    .venv/bin/python benchmarks/demo.py [--quick]

Prints a table of measured figures beside the bars they are held to.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAME_BYTES = ("stability.csv", "edges.csv", "estimates.csv", "verdicts.csv", "stability.tex")


def run_demo(out: Path, *, quick: bool) -> dict[str, float]:
    """Wall and CPU seconds and peak memory (MB) of one demo in its own process."""
    command = [
        sys.executable,
        "-c",
        "from circuitvar.reports.commands.cli import main; main()",
        "demo",
    ]
    command += ["--out", str(out), "--quiet"] + ["--quick"] * quick
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=out.parent)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu, "peak_mb": after.ru_maxrss / 1024}


def card_without_time(folder: Path) -> dict:
    """The card without wall times, the command line (it names the folder) and the checksum."""
    card = json.loads((folder / "card.json").read_text())
    card.pop("time", None)
    card.pop("checksum", None)
    card["provenance"].pop("command", None)
    return card


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smoke-sized demo")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as work:
        folders = [Path(work) / name for name in ("first", "second")]
        figures = [run_demo(folder, quick=quick) for folder in folders]
        card = json.loads((folders[0] / "card.json").read_text())
        same = {
            name: (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
            for name in SAME_BYTES
        }
        same["card.json"] = card_without_time(folders[0]) == card_without_time(folders[1])
    seconds = card["time"]["seconds"]
    settings = card["provenance"]["settings"]
    best = {key: min(run[key] for run in figures) for key in figures[0]}
    rows = [
        ("wall seconds, better of two", f"{best['wall']:.1f}", "<= 60"),
        ("CPU seconds", f"{best['cpu']:.1f}", ""),
        ("peak memory, MB", f"{best['peak_mb']:.0f}", "<= 2048"),
        ("statistics after scoring, s", f"{seconds['statistics']:.2f}", "<= 5"),
        ("bootstrap replicates", settings["bootstrap"], ">= 200"),
        ("complementary-half pairs", settings["pairs"], ">= 50"),
        ("prompts", settings["n"], ">= 400"),
        ("prompts with exact scores of all edges", settings["exact"], ">= 1"),
        ("files equal in both runs", f"{sum(same.values())} of {len(same)}", "all"),
    ]
    print("| figure | measured | bar |\n|---|---|---|")
    for name, value, bar in rows:
        print(f"| {name} | {value} | {bar} |")
    different = [name for name, equal in same.items() if not equal]
    if different:
        raise SystemExit(f"differ between two runs of one command: {', '.join(different)}")


if __name__ == "__main__":
    main()

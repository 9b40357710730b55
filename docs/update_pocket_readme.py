"""Put the measured accuracies of the shipped pocket models into their README."""

import json
from pathlib import Path

POCKET = Path(__file__).resolve().parent.parent / "tasks" / "pocket"
BEGIN, END = "<!-- accuracy:begin -->", "<!-- accuracy:end -->"


def accuracy_table() -> str:
    """One row per training seed, from the training logs."""
    rows = []
    for folder in sorted(POCKET.glob("seed*")):
        log = json.loads((folder / "training_log.json").read_text(encoding="utf-8"))
        held_out = log["held_out"]
        cells = [f"{held_out[task]['accuracy']:.3f}" for task in held_out]
        years = f"{held_out['greater-than']['probability']:.3f}"
        rows.append([folder.name, *cells, years, f"{log['seconds_cpu'] / 60:.0f}"])
    names = ["seed", *held_out, "valid years", "CPU min"]
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    readme = POCKET / "README.md"
    text = readme.read_text(encoding="utf-8")
    start, stop = text.index(BEGIN) + len(BEGIN), text.index(END)
    readme.write_text(text[:start] + "\n" + accuracy_table() + "\n" + text[stop:], encoding="utf-8")


if __name__ == "__main__":
    main()

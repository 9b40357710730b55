"""Audit your own prompts: a CSV file instead of a task."""

import csv
from pathlib import Path

import numpy as np

import circuitvar as cv

# Any source of prompt pairs will do; here they come from a shipped task.
pairs = cv.get_task("pronoun").sample(80, rng=np.random.default_rng(0))
with Path("prompts.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["clean", "corrupt", "answer", "wrong_answer", "template"])
    for pair in pairs:
        writer.writerow(
            [pair.clean, pair.corrupt, pair.answers[0], pair.wrong_answers[0], pair.template]
        )

task = cv.task_from_file("prompts.csv")
settings = cv.Settings(n=40, heldout=20, bootstrap=50, pairs=10, exact=0, fresh=0, random=10)
audit = cv.audit_circuit(task, cv.load_model("pocket:0"), settings)
print(task.source)
for axis in audit.axes:
    print(f"{axis.title}: phi {axis.phi.value:.2f} [{axis.phi.low:.2f}, {axis.phi.high:.2f}]")

"""Audit a circuit, read the numbers, write the report."""

from circuitvar.audit.settings import Settings
from circuitvar.audit.single import audit_circuit
from circuitvar.circuits.loading import load_model
from circuitvar.reports.page import write_report
from circuitvar.tasks.catalog import get_task

settings = Settings(n=60, heldout=24, bootstrap=50, pairs=10, exact=24, fresh=0, random=30, size=4)
audit = audit_circuit(get_task("planted-two-route"), load_model("planted:two-route"), settings)

for verdict in audit.verdicts:
    print(f"{verdict.outcome}: {verdict.claim}. {verdict.reason} {verdict.needed}")
core = audit.edges[audit.edges["class"] == "core"]
print("core edges:", ", ".join(core["edge"]))
print(len(write_report(audit, "runs/two-route")), "files in runs/two-route")

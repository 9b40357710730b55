"""Audit a circuit, read the numbers, write the report."""

import circuitvar as cv

settings = cv.Settings(
    n=60, heldout=24, bootstrap=50, pairs=10, exact=24, fresh=0, random=30, size=4
)
audit = cv.audit_circuit(
    cv.get_task("planted-two-route"), cv.load_model("planted:two-route"), settings
)

for verdict in audit.verdicts:
    print(f"{verdict.outcome}: {verdict.claim}. {verdict.reason} {verdict.needed}")
core = audit.edges[audit.edges["class"] == "core"]
print("core edges:", ", ".join(core["edge"]))
print(len(cv.write_report(audit, "runs/two-route")), "files in runs/two-route")

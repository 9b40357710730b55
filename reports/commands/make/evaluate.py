"""`circuitvar evaluate CIRCUIT`: how faithful is it, at which size, under which ablation?"""

from pathlib import Path

from circuitvar.reports.commands.arguments import CircuitName
from circuitvar.reports.options import CircuitChoice, EvaluateOptions, ModelChoice, Output

FOLDER = Output(Path("runs/evaluate"))


def evaluate(
    circuit: CircuitName,
    where: ModelChoice,
    of: CircuitChoice = CircuitChoice(),
    options: EvaluateOptions = EvaluateOptions(),
    to: Output = FOLDER,
) -> None:
    """Faithfulness, completeness, KL, circuit error and worst case of one circuit on held-out
    prompts, under five ablations; CPR and CMD on MIB's ten sizes.
    """
    from circuitvar.reports.circuits import run_evaluate
    from circuitvar.reports.page import read_section

    run_evaluate(circuit, where=where, of=of, options=options, out=to.out, quiet=to.quiet)
    if not to.quiet:
        print("\n".join(read_section(to.out).summary))
        print(f"written to {to.out}")

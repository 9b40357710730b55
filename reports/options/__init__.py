"""Records that the commands fill: type, default, range and help of every option."""

from circuitvar.reports.options.circuits import (
    ALL_ABLATIONS, CircuitTestOptions, ERRORS, EvaluateOptions, FindOptions, MORE_RULES,
    PublishedOptions, ScoreChoice,
)
from circuitvar.reports.options.explanations import (
    LabelArrays, ModelOptions, NetJudgement, NetTraining, NeuronChoice,
)
from circuitvar.reports.options.shared import (
    AllowWeak, CircuitChoice, DataFile, ModelChoice, Output, POCKET, Quiet, SeedModels, Strict,
    split_names,
)

__all__ = [
    "ALL_ABLATIONS", "AllowWeak", "CircuitChoice", "CircuitTestOptions", "DataFile", "ERRORS",
    "EvaluateOptions", "FindOptions", "LabelArrays", "MORE_RULES", "ModelChoice", "ModelOptions",
    "NetJudgement", "NetTraining", "NeuronChoice", "Output", "POCKET", "PublishedOptions", "Quiet",
    "ScoreChoice", "SeedModels", "Strict", "split_names",
]

"""Agreement of circuits over resamples, runs and wordings, with intervals."""

from circuitvar.audit.agreement.axis import (
    block_intervals, bootstrap_axis, halves_axis, runs_axis, with_block_interval,
)
from circuitvar.audit.agreement.block_variance import SHARED_DF, least_of_resamples
from circuitvar.audit.agreement.given_runs import GIVEN_DF, phi_given_runs
from circuitvar.audit.agreement.halves import halves_agreement, size_curve
from circuitvar.audit.agreement.match_heads import MATCHED, match_heads, seed_axis_matched
from circuitvar.audit.agreement.paired_stability import (
    Change, Selected, bootstrap_change, halves_change, template_change,
)
from circuitvar.audit.agreement.wording import LOST, Wording, group_means, wording

__all__ = [
    "Change", "GIVEN_DF", "LOST", "MATCHED", "SHARED_DF", "Selected", "Wording", "block_intervals",
    "bootstrap_axis", "bootstrap_change", "group_means", "halves_agreement", "halves_axis",
    "halves_change", "least_of_resamples", "match_heads", "phi_given_runs", "runs_axis",
    "seed_axis_matched", "size_curve", "template_change", "with_block_interval", "wording",
]

"""Intervals of any statistic: t, BCa, jackknife, betting, confidence sequences, runs."""

from circuitvar.audit.intervals.confidence_sequence import (
    LEAST, asymptotic_sequence, bernoulli_sequence, betting_sequence, stop_when_decided,
)
from circuitvar.audit.intervals.effective_df import (
    between_df, crossed_df, jackknife_df, pooled, summed_df, within_df,
)
from circuitvar.audit.intervals.intervals import (
    ResampleInterval, UNSEEN, after_bootstrap, bca_means, below_one_swap, interval_of_resamples,
    resample_se, t_interval, unseen_swap, with_unseen_swap,
)
from circuitvar.audit.intervals.jackknife import (
    exact_share, group_jackknife, jackknife_estimate, ratio_of_means, row_jackknife_se,
    share_estimate,
)
from circuitvar.audit.intervals.runs_interval import (
    CHOICES, OfShared, all_runs_equal, few_runs_se, interval_of_runs, of_runs, tied_runs_se,
    without_interval,
)
from circuitvar.circuits.intervals import clopper_pearson

__all__ = [
    "CHOICES", "LEAST", "OfShared", "ResampleInterval", "UNSEEN", "after_bootstrap",
    "all_runs_equal", "asymptotic_sequence", "bca_means", "below_one_swap", "bernoulli_sequence",
    "betting_sequence", "between_df", "clopper_pearson", "crossed_df", "exact_share", "few_runs_se",
    "group_jackknife", "interval_of_resamples", "interval_of_runs", "jackknife_df",
    "jackknife_estimate", "of_runs", "pooled", "ratio_of_means", "resample_se", "row_jackknife_se",
    "share_estimate", "stop_when_decided", "summed_df", "t_interval", "tied_runs_se", "unseen_swap",
    "with_unseen_swap", "within_df", "without_interval",
]

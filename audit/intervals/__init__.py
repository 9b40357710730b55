"""Intervals of any statistic: t, BCa, jackknife, betting, confidence sequences, runs."""

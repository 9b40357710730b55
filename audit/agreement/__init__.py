"""Agreement of circuits over resamples, runs and wordings, with intervals."""

"""Circuit and score files of other projects."""

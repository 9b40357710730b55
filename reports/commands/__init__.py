"""One command per file. Heavy imports stay inside the functions, so that `--help` is instant."""

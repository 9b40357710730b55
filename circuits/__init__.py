"""One estimate: graph, model access, per-example edge scores, selection, evaluation."""

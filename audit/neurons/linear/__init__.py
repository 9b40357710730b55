"""Linear explanations: elastic net, greedy refit, inclusion frequencies."""

"""From prompts to token batches, answers and metrics."""

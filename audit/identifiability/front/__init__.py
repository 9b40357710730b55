"""From a question to its tables and summary."""

"""Faithfulness, curves, null circuits and hypothesis tests of a circuit."""

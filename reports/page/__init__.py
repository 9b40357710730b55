"""The HTML page and its sections."""

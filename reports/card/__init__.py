"""The stability card: the JSON document of a report."""

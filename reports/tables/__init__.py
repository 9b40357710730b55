"""From an audit to frames to text."""

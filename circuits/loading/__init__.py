"""Models by name or folder, wrapped and checked against exact patching."""

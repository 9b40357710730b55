"""What a user names, as objects."""

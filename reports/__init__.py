"""What the reader sees: tables, figures, page, card, command line."""

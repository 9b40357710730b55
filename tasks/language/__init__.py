"""Tasks in words: one file each, their templates, corruptions and paraphrases."""

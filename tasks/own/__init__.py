"""Prompts of users: files, folders and hub tables."""

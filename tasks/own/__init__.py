"""Prompts of users: files, folders and hub tables."""

from circuitvar.tasks.own.readers import read_pairs, task_from_file

__all__ = ["read_pairs", "task_from_file"]

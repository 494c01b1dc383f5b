"""The `noble` command: thin, one file a group of commands, over functions that anyone can call."""

from noble.cli.app import main

__all__ = ["main"]

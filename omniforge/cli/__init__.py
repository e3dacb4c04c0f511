"""The command line. This package imports typer and the standard library; commands import the rest."""

from omniforge.cli.app import main

__all__ = ["main"]

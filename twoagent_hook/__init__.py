"""A commit gate: a different model reviews what an agent staged, before the commit exists."""

__all__ = ["__version__"]

__version__ = "0.1.0"

"""Figures of recordings as PNG files, drawn so that an analyst can check what is said."""

from vibro.figures.recording import Story, draw

__all__ = ["Story", "draw"]

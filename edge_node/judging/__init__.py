"""Scores and decisions on the windows of one machine."""

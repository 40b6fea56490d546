"""Vibro's core: records, signal processing, isolation forests, decision rules and formats.

Rules and numerics here are pure: they open no socket, read no clock, draw from no global random
generator and print nothing. ``vibro.files`` and ``vibro.log`` are the two corners that touch a
disk, and ``vibro.cli`` is where everything is wired together.
"""

__version__ = "0.1.0"

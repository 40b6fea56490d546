"""Alembic migrations of the relational store; part of the package, so a wheel carries them."""

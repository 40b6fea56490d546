"""The asset register: which machines there are, what they are made of and where sensors sit."""

from vibro.assets.records import Machine, Point, node_name
from vibro.assets.register import COLUMNS, Register, export, parse_register, register_text

__all__ = [
    "COLUMNS",
    "Machine",
    "Point",
    "Register",
    "export",
    "node_name",
    "parse_register",
    "register_text",
]

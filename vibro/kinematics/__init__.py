"""Machine kinematics: geometry in, characteristic frequencies as shaft orders out."""

from vibro.kinematics.bearings import Bearing, BearingOrders
from vibro.kinematics.catalogue import find_bearing, near_names
from vibro.kinematics.lines import LineOrders, line_orders

__all__ = [
    "Bearing",
    "BearingOrders",
    "LineOrders",
    "find_bearing",
    "line_orders",
    "near_names",
]

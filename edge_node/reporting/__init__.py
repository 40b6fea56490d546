"""What goes out in health: intervals, rows, heartbeats, counts."""

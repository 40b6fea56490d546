"""False cases of healthy machines and the detection of faults, by simulation."""

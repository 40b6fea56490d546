"""Real services for tests, on loopback: made once, kept, started by whoever asks for one."""

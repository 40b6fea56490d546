"""The service around the nodes of a process: what it tells, answers, and is told."""

"""The command line: the one place where core, edge, cloud and dashboards are wired together."""

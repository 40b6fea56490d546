"""Grafana dashboards, alert rules and datasources as code."""

"""Time series for Grafana: what lake and store hold, as points in InfluxDB."""

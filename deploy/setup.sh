#!/bin/sh
# Set the services up for the plant of the register, and hand Grafana its token.
set -eu
vibro cloud setup --yes --cert /run/admin/admin.pem
# Grafana is another user, and nobody else has this volume.
install -m 0444 "$VIBRO_HOME/secrets/grafana-influx.token" /run/grafana/influx_grafana_token

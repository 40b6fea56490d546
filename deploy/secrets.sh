#!/bin/sh
# Make the passwords and the token that compose hands to the services, one file each in secrets/.
# What is there already is kept: a service remembers what it was first started with.
set -eu
cd "$(dirname "$0")"
umask 077
# The folder keeps everyone else out. The files themselves are readable, because each service reads
# its own as the user that it runs as, which is not the one who typed this.
mkdir -p secrets
chmod 700 secrets
for name in influxdb_password influxdb_token postgres_password grafana_password; do
  if [ -s "secrets/$name" ]; then
    echo "kept: deploy/secrets/$name"
    continue
  fi
  head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > "secrets/$name.new"
  chmod 644 "secrets/$name.new"
  mv "secrets/$name.new" "secrets/$name"
  echo "made: deploy/secrets/$name"
done

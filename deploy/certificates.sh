#!/bin/sh
# Make the authority and every certificate of compose.yaml, and renew what is getting old.
#   certificates.sh once     make what is missing, then end
#   certificates.sh daily    do so every day
# Runs as root, because each key is given to the user of the service that reads it. The authority's
# own key stays in the volume that only this script has.
set -eu
umask 022
authority=$VIBRO_HOME/authority
vibro_user=10001 kafka_user=1000

young() { # FILE DAYS: whether it is there and not older
  [ -f "$1" ] && [ -z "$(find "$1" -mtime "+$2")" ]
}

broker() {
  hosts="kafka localhost $VIBRO_BROKER_HOST"
  if young /out/broker/broker.pem 180 && [ "$hosts" = "$(cat /out/broker/hosts)" ]; then
    return
  fi
  vibro cloud sign --server kafka --server localhost --server "$VIBRO_BROKER_HOST" \
    --out /out/broker/broker.pem
  cp "$authority/ca.pem" /out/broker/ca.pem
  chown "$kafka_user" /out/broker/broker.pem
  echo "$hosts" > /out/broker/hosts
  echo "a running broker takes its certificate over when it is started again: restart kafka"
}

service() { # NAME FOLDER
  young "$2/$1.pem" 6 && return
  vibro cloud sign --service "$1" --out "$2/$1.pem"
  cp "$authority/ca.pem" "$2/ca.pem"
  chown "$vibro_user" "$2/$1.pem"
}

node() { # SITE-MACHINE
  young /out/edge/tls/node.pem 6 && return
  # On a machine of its own the key is made there, and only the request comes here.
  vibro edge enroll /out/edge/node.toml
  vibro cloud sign "/out/edge/tls/$1.csr" --out /tmp/node.pem
  vibro edge enroll /out/edge/node.toml --certificate /tmp/node.pem
  chown -R "$vibro_user" /out/edge/tls
}

all() {
  [ -f "$authority/ca.pem" ] || vibro cloud sign --init
  # Who is enrolled and who is revoked may be read by `setup`; the key may not.
  chmod 755 "$authority"
  broker
  service admin /out/admin
  service cloud /out/cloud
  node porto-fan-1
}

# What the volumes below belong to.
chown "$vibro_user" /out/home /out/tokens /out/grafana /out/edge
all
[ "$1" = daily ] || exit 0
while sleep 86400; do
  all
done

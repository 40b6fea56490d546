#!/bin/sh
# Renew the locked requirements of the two images from pyproject.toml and requirements/lock.txt.
set -eu
cd "$(dirname "$0")/.."
lock() {
  out=deploy/requirements/$1.txt
  shift
  .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --no-annotate -o "$out" "$@"
}
lock edge -c requirements/lock.txt --extra edge pyproject.toml
lock cloud -c requirements/lock.txt --extra cloud --extra postgres --extra dashboards pyproject.toml
# What numba needs to compile ahead, for the build alone.
echo setuptools | lock kernels -c requirements/bench.txt -

#!/bin/sh
# Installs the pinned Prefect for Python into the virtual environment build/peers/prefect/venv, once, and makes
# build/peers/prefect/empty.db, the migrated and empty database that each server of the peer tests starts with.
# Needs python3 (3.10 to 3.14) with venv (Debian: apt-get install python3-venv).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target="$here/../../build/peers/prefect"
requirements="$here/prefect-requirements.txt"

if cmp -s "$requirements" "$target/requirements.txt"; then
  echo "Prefect is installed"
  exit 0
fi

rm -rf "$target"
mkdir -p "$target"
target=$(cd "$target" && pwd)
python3 -m venv "$target/venv"
"$target/venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
env PREFECT_HOME="$target/home" PREFECT_SERVER_ANALYTICS_ENABLED=false \
  PREFECT_SERVER_DATABASE_CONNECTION_URL="sqlite+aiosqlite:///$target/empty.db" \
  "$target/venv/bin/prefect" server database upgrade --yes >/dev/null
rm -r "${target:?}/home"
cp "$requirements" "$target/requirements.txt"
echo "Prefect installed"

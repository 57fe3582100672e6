#!/bin/sh
# Installs the pinned databricks-sdk for Python into build/peers/databricks-sdk, once.
# Needs python3 with pip, or with venv (Debian: apt-get install python3-venv).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target="$here/../../build/peers/databricks-sdk"
requirements="$here/databricks-sdk-requirements.txt"

if cmp -s "$requirements" "$target/requirements.txt"; then
  echo "databricks-sdk is installed"
  exit 0
fi

rm -rf "$target"
mkdir -p "$target"
python=python3
if ! python3 -m pip --version >/dev/null 2>&1; then
  python3 -m venv "$target/venv"
  python="$target/venv/bin/python"
fi
"$python" -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --target "$target/lib" --requirement "$requirements"
cp "$requirements" "$target/requirements.txt"
echo "databricks-sdk installed"

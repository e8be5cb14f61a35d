#!/bin/sh
# Writes the compiled buf of the npm registry to $1. It fails where there is no npm, or no binary for this machine.
set -eu
cd "$(dirname "$0")"
command -v npm >/dev/null
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp package.json package-lock.json "$dir"
npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --silent >&2
cp "$dir"/node_modules/@bufbuild/buf-*/bin/buf "$1"
grep -q "github.com/bufbuild/buf v$("$1" --version)" go.mod # the other way to get it

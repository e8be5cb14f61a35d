#!/bin/sh
# Installs, by Debian's package manager, the programs that are missing here. Elsewhere it names them: the tests that
# need one are left out where it is not, but not in CI.
set -eu

missing=
need() { # need PACKAGE COMMAND...: COMMAND succeeds where the package is not missing
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}

compiles() { echo '#include <stdlib.h>' | cc -fsyntax-only -xc -; }

need gcc command -v cc
need libc6-dev compiles
need curl command -v curl
need openssl command -v openssl
need chromium eval 'command -v chromium || command -v google-chrome'
need nodejs command -v node
need npm command -v npm
need prometheus command -v promtool
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "setup: please install what corresponds to these packages of Debian:$missing" >&2
	[ "${CI:-}" != true ]
	exit
fi
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get update -qq
# shellcheck disable=SC2086 # one argument for each package
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing

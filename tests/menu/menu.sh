#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `./run serve` opens the page where there is a screen and something to open it with, and serves all the same where not. The build and
# the program are stand-ins: the menu alone is tested.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/build/cli" "$work/bin" "$work/screen"
cp run "$work/run"
: >"$work/build/build.ninja"
for tool in cc meson ninja pkg-config; do printf '#!/bin/sh\nexit 0\n' >"$work/bin/$tool"; done
printf '#!/bin/sh\nexit 0\n' >"$work/screen/xdg-open"
printf '#!/bin/sh\necho "$*"\n' >"$work/build/cli/masksketch"
chmod +x "$work"/bin/* "$work"/screen/* "$work/build/cli/masksketch"
# A path without any xdg-open of this machine.
for tool in sh dirname mktemp rm grep tail uname cat; do ln -s "$(command -v "$tool")" "$work/bin/$tool"; done

failed=0
expect() { # WANTED, then NAME=VALUE..., --, arguments of serve
  wanted=$1
  shift
  settings=""
  while [ "$1" != -- ]; do settings="$settings $1"; shift; done
  shift
  # shellcheck disable=SC2086
  got=$(env -i PATH="$path" $settings sh "$work/run" serve "$@" 2>/dev/null) || got="failed"
  [ "$got" = "$wanted" ] || { printf 'menu: serve %s with%s: "%s", expected "%s"\n' "$*" "$settings" "$got" "$wanted" >&2; failed=1; }
}
path="$work/screen:$work/bin"
expect "serve --open" DISPLAY=:0 --
expect "serve --open --port 9000" WAYLAND_DISPLAY=wayland-0 -- --port 9000
expect "serve --open" DISPLAY=:0 -- --open
expect "serve --help" DISPLAY=:0 -- --help
expect "serve" --
path="$work/bin"
expect "serve" DISPLAY=:0 --
exit $failed

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Debian packages as people get them: built from a clean copy of what git knows, held against lintian, installed, tested by
# debian/tests, and taken off again. $1: a folder for all of it. As root.
set -eu
root=$PWD
work=$1
failed=0
wrong() { echo "packages: $*" >&2; failed=1; }
mkdir -p "$work"
rm -rf "$work/masksketch" "$work"/*.deb
mkdir "$work/masksketch"
git ls-files -z | xargs -0 tar -cf - | tar -xf - -C "$work/masksketch"
echo "building the packages ..." >&2
(cd "$work/masksketch" && DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" dpkg-buildpackage -b -us -uc) >"$work/build.log" 2>&1 ||
  { tail -n 30 "$work/build.log" >&2; exit 1; }
for package in masksketch libmasksketch0.2 libmasksketch-dev python3-masksketch; do
  ls "$work/${package}"_*.deb >/dev/null 2>&1 || wrong "there is no package $package"
done
! grep 'gensymbols: warning' "$work/build.log" || wrong "debian/libmasksketch0.2.symbols is not what the library has: $work/build.log shows what differs"
! grep -A 4 '[0-9]: warning: ' "$work/build.log" || wrong "the compiler warns under the packages' own flags"
lintian --no-cfg --fail-on error,warning --allow-root "$work"/*.changes || wrong "lintian complains"

desktop-file-validate packaging/masksketch.desktop || wrong "the menu entry is wrong"
appstreamcli validate --no-net --pedantic --strict packaging/org.masksketch.masksketch.metainfo.xml || wrong "the metadata is wrong"

names=$(for deb in "$work"/*.deb; do dpkg-deb -f "$deb" Package; done | grep -v dbgsym)
trap 'apt-get purge -y $names >/dev/null 2>&1' EXIT
# shellcheck disable=SC2046
apt-get install -y --no-install-recommends $(ls "$work"/*.deb | grep -v dbgsym) >"$work/install.log" 2>&1 || { tail -n 20 "$work/install.log" >&2; exit 1; }
for test in pkg-config cmake python; do
  scratch=$(mktemp -d)
  echo "debian/tests/$test ..." >&2
  (cd / && AUTOPKGTEST_TMP="$scratch" "$root/debian/tests/$test") >"$work/$test.log" 2>&1 || { tail -n 20 "$work/$test.log" >&2; wrong "debian/tests/$test fails"; }
  rm -rf "$scratch"
done
for shell in bash-completion/completions/masksketch.bash zsh/vendor-completions/_masksketch fish/vendor_completions.d/masksketch.fish; do
  [ -s "/usr/share/$shell" ] || wrong "there is no /usr/share/$shell"
done
for command in "" $(masksketch help | awk '/^  [a-z]/ { print $1 }'); do
  # shellcheck disable=SC2086
  COLUMNS=80 masksketch help $command </dev/null | awk -v command="$command" 'length($0) > 80 { print "masksketch help " command ": " $0; wide = 1 } END { exit wide }' || wrong "help is wider than 80 columns"
done
[ "$failed" = 0 ] && echo "packages: built, clean, and tested: $(ls "$work"/*.deb | grep -vc dbgsym)"
exit $failed

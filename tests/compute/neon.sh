#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# neon.sh FOLDER - the kernels' tests for 64-bit Arm, cross-compiled and run under qemu's user mode: src/compute, what it stands on, and its tests;
# no more of the program, so that no Arm library but cmocka is needed. It is fetched (not installed) into FOLDER. ./run test-neon calls it.
set -eu
out=$1
compiler=${CC_ARM64:-aarch64-linux-gnu-gcc}
mkdir -p "$out/compute" "$out/objects"

# cmocka for Arm, by a package list of its own, so that the system's stays as it is.
if [ ! -e "$out/sysroot/usr/include/cmocka.h" ]; then
  mkdir -p "$out/apt/lists/partial" "$out/apt/cache/archives/partial"
  at=$(cd "$out/apt" && pwd)
  set -- -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$at" -o Dir::State::Lists="$at/lists" -o Dir::State::status=/dev/null \
    -o Dir::Cache="$at/cache" -o APT::Sandbox::User=root
  apt-get "$@" update >"$out/apt.log" 2>&1 && (cd "$at" && apt-get "$@" download libcmocka0 libcmocka-dev >>../apt.log 2>&1) ||
    { tail -n 5 "$out/apt.log" >&2; echo "neon.sh: cmocka for arm64 could not be fetched" >&2; exit 1; }
  for package in "$at"/libcmocka*.deb; do dpkg -x "$package" "$out/sysroot"; done
fi

printf '#define MSK_HAVE_NEON 1\n#define MSK_HAVE_NEONDOT 1\n' >"$out/compute/isa_sets.h"
flags="-std=c11 -O2 -D_GNU_SOURCE -ffp-contract=off -Wall -Wextra -Werror -Wshadow -Wconversion -Wno-sign-conversion -Iinclude -Isrc -I$out"
flags="$flags -Itests/support -I$out/sysroot/usr/include"
sources="src/compute/*.c src/compute/cpu/*.c src/compute/cpu/isa/ref.c src/compute/cpu/isa/neon.c src/compute/cpu/isa/neondot.c"
sources="$sources src/base/clock.c src/base/int8.c src/base/memory.c src/base/names.c src/base/pool.c src/base/error.c src/base/threads.c src/tensor/dtype.c tests/support/support.c tests/compute/emulated.c"
for source in $sources; do
  extra=
  case "$source" in */neondot.c) extra=-march=armv8.2-a+dotprod ;; esac
  printf '%s %s -c %s -o %s\n' "$flags" "$extra" "$source" "$out/objects/$(echo "$source" | tr / _).o"
done | xargs -P 2 -L 1 "$compiler"

# All at once: the longest is test_operations, some 75 seconds.
tests="test_operations test_linear test_conv test_attention test_kernels test_conv_int16 test_conv_int8 test_int8 test_selfcheck test_bf16"
run_test() {
  # shellcheck disable=SC2086
  "$compiler" $flags "tests/compute/$1.c" "$out"/objects/*.o -o "$out/$1" -L"$out/sysroot/usr/lib/aarch64-linux-gnu" -lcmocka -lm -lpthread &&
    qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH="$out/sysroot/usr/lib/aarch64-linux-gnu" "$out/$1"
}
for name in $tests; do
  rm -f "$out/$name.passed"
  { run_test "$name" >"$out/$name.log" 2>&1 && : >"$out/$name.passed"; } &
done
wait

status=0
for name in $tests; do
  grep -E 'PASSED|FAILED|ERROR|error' "$out/$name.log" | sed "s/^/$name: /" || true
  [ -e "$out/$name.passed" ] || { echo "neon.sh: $name failed; $out/$name.log tells more" >&2; status=1; }
done
grep -q '^neondot quantise_row' "$out/test_kernels.log" || { echo "neon.sh: the NEON kernels did not run" >&2; exit 1; }
exit $status

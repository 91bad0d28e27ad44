#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is installed is whole: the files are there, and pictures, scores, distances and evaluations from the installed program, far from the
# tree, are those of the program in it. $1 build folder, $2 and $3 where programs and data go below the prefix.
set -eu
unset MASKSKETCH_MODEL
root=$PWD
[ -f models/default.safetensors ] || { echo "no default model: skipped"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
DESTDIR="$work" meson install -C "$1" --no-rebuild >"$work/install.log" 2>&1 || { tail -n 20 "$work/install.log" >&2; exit 1; }
# The prefix may be any; the program is found by its name.
program=$(find "$work" -path "*/$2/masksketch" -type f)
prefix=${program%"/$2/masksketch"}
share="$prefix/$3/masksketch"
tree="$1/cli/masksketch"
failed=0
wrong() { echo "installed: $*" >&2; failed=1; }

same_file() { cmp -s "$root/$1" "$2" || wrong "$2 is not $1"; }
for file in models/default.safetensors models/README.md models/manifest.json models/clip/model.safetensors models/clip/README.md models/clip/LICENSE.vocab data/README.md; do
  same_file "$file" "$share/$file"
done
same_file training/judge/judge.safetensors "$share/models/judge.safetensors"
same_file LICENSE "$prefix/$3/doc/masksketch/LICENSE"
for drawing in demo/sketches/*; do same_file "$drawing" "$share/$drawing"; done

mkdir "$work/a" "$work/b" "$work/here"
i=0
for drawing in demo/sketches/*; do
  i=$((i + 1))
  if [ $((i % 2)) = 0 ]; then cp "$drawing" "$work/a/"; else cp "$drawing" "$work/b/"; fi
done
cat >"$work/spec.json" <<END
{"title": "Installed", "settings": {"steps": 1}, "reference": "a", "tile": 32,
 "sketches": [{"file": "a/$(ls "$work/a" | head -n 1)", "class": "apple"}]}
END
# compare NAME COMMAND...: what both print, from a folder that has nothing to do with the tree.
compare() {
  name=$1
  shift
  (cd "$work/here" && "$tree" "$@") >"$work/tree.out" 2>"$work/tree.err" || wrong "$name fails from the tree: $(cat "$work/tree.err")"
  (cd "$work/here" && "$program" "$@") >"$work/own.out" 2>"$work/own.err" || wrong "$name fails where it is installed: $(cat "$work/own.err")"
  [ -s "$work/tree.out" ] || wrong "$name printed nothing"
  cmp -s "$work/tree.out" "$work/own.out" || wrong "$name: $(diff "$work/tree.out" "$work/own.out" | head -n 4)"
}
compare classes classes
compare distance distance "$work/a" "$work/b" --json --quiet
compare "distance by CLIP" distance "$work/a" "$work/b" --features clip --json --quiet
compare score score "$work/a/$(ls "$work/a" | head -n 1)" --text "an apple" --json --quiet
compare draw draw "$share/demo/sketches/apple-pen.png" --class apple --steps 1 --quiet -o -
"$tree" eval "$work/spec.json" -o "$work/of-tree" --quiet
(cd "$work/here" && "$program" eval "$work/spec.json" -o "$work/of-own" --quiet)
for file in results.csv summary.csv; do
  cmp -s "$work/of-tree/$file" "$work/of-own/$file" || wrong "eval: $file: $(diff "$work/of-tree/$file" "$work/of-own/$file" | head -n 4)"
done
grep -q judge "$work/of-own/results.csv" || wrong "eval has measured nothing with the judge"
exit $failed

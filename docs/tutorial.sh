#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tutorial.sh PROGRAM: makes the pictures of docs/tutorial.md from the drawings of demo/sketches. Run it from the root of the sources.
set -eu
program=$1
out=docs/pictures/tutorial
mkdir -p "$out"

# Ten pictures, one of each drawing.
for drawing in apple-pen bird-marker car-pencil chair-pencil fish-thin house-photographed lamp-thin mushroom-chalk teapot-pen tree-chalk; do
  sketch=$(ls demo/sketches/$drawing.*)
  rm -f "$out/$drawing.webp"
  "$program" draw "$sketch" --class "${drawing%%-*}" --seed 3 --quality 90 --quiet -o "$out/$drawing.webp"
done

# One drawing, three pictures, alike and different: --sheet puts the drawing before them.
rm -f "$out"/alike.jpg "$out"/different.jpg
for variety in balanced varied; do
  name=alike
  [ $variety = balanced ] || name=different
  "$program" draw demo/sketches/sailboat-photographed.jpg --class sailboat --recipe $variety --count 3 --seed 1 --quality 60 --quiet \
    --sheet "$out/$name.jpg" -o "$out/part.jpg"
  rm -f "$out"/part*.jpg
done
du -bc "$out"/* | tail -n 1

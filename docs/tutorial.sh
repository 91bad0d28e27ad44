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

# One drawing, three pictures, at both ends of the page's dial: --sheet puts the drawing before them.
boats() {
  name=$1
  shift
  rm -f "$out/$name.jpg"
  "$program" draw demo/sketches/sailboat-photographed.jpg --class sailboat "$@" --count 3 --seed 1 --quality 60 --quiet --sheet "$out/$name.jpg" -o "$out/part.jpg"
  rm -f "$out"/part*.jpg
}
boats alike --set start_temperature=0 --set start_temperature_steps=0 --set token_temperature=0.2
boats different --recipe varied
du -bc "$out"/* | tail -n 1

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# prepare.sh SKETCHES: the folder `drawings` for imagenet-sketch.json beside it. ImageNet-Sketch has a folder a class, named by WordNet's numbers; in the
# order of these, they are ImageNet's classes 0 to 999. Links, so that nothing is copied.
set -eu
sketches=$(cd "$1" && pwd)
mkdir drawings
class=0
for folder in "$sketches"/n[0-9]*/; do
  ln -s "${folder%/}" "drawings/$class"
  class=$((class + 1))
done
echo "$class classes"

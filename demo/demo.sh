#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# demo.sh PROGRAM FOLDER - draws every sketch of demo/sketches with the default model, and writes one contact sheet.
# A sketch's file is named CLASS-HAND.png; the hand tells how it was drawn.
set -eu
program=$1
folder=$2
here=$(dirname "$0")
mkdir -p "$folder"
set --
for sketch in "$here"/sketches/*; do
  name=$(basename "$sketch")
  class=${name%%-*}
  case "$name" in *photographed*) paper=--photo-of-paper ;; *) paper= ;; esac
  # shellcheck disable=SC2086 # $paper is one flag or none
  "$program" draw "$sketch" --class "$class" --count 3 --seed 1 $paper --force -o "$folder/${name%.*}.png" --sheet "$folder/row-$class.png"
  set -- "$@" "$folder/row-$class.png"
done
"$program" sheet "$@" --force -o "$folder/contact-sheet.png"
rm -f "$@"
printf '\nSketches and their photos, side by side: %s/contact-sheet.png\nEach picture by itself:                   %s/*.png\n' "$folder" "$folder"

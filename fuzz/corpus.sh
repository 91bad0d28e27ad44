#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first inputs of every harness, from the golden data: corpus.sh PROGRAM FOLDER. Also FOLDER/model.safetensors, for those that need a model.
set -eu
program=$1
out=$2
golden=tests/golden
for name in adapter body clip convert image judge model npy spec text training weights; do mkdir -p "$out/$name"; done

# A few bytes with any value among them: first TEXT...
join() { printf "$1"; shift; cat "$@"; }

model=$out/model.safetensors
tokenizer=$golden/tiny/tokenizer_imagenet128_checkpoint
transformer=$golden/tiny/maskgit_imagenet128_checkpoint
"$program" convert --quiet --force --tokenizer "$tokenizer" --transformer "$transformer" -o "$model"
bytes=$(od -An -t u8 -N 8 "$model" | tr -d ' ')
tail -c +9 "$model" | head -c "$bytes" >"$out/model/tiny"

photo=$golden/tiny/input/photo.png
"$program" teach "$model" --class umbrella "$photo" "$photo" "$photo" "$photo" "$photo" --crops 1 --replay 1 --steps 1 --quiet --force -o "$out/adapter/taught"

# Settings as pictures keep them.
"$program" draw $golden/tiny/input/sketch0.png --class 3 --steps 1 --lambda-map $golden/tiny/input/photo.png --model "$model" --quiet --force \
  -o "$out/draw.png"
"$program" edit $golden/tiny/input/photo.png --box 0,0,64,64 --class 3 --steps 1 --model "$model" --quiet --force -o "$out/edit.png"
"$program" generate --class 3 --recipe official --count 2 --model "$model" --quiet --force -o "$out/official.png"
for picture in draw edit official-1; do
  "$program" info --json "$out/$picture.png" | sed -e 's/.*"request"://' -e 's/}$//' >"$out/text/$picture"
done

cp $golden/image/png/*.png $golden/image/bad/* $golden/image/jpeg/*.jpg $golden/image/webp/*.webp "$out/image/" 2>/dev/null || true
cp "$out"/*.png "$out/image/"
cp $golden/judge/*.npy "$out/npy/"
cp $golden/judge/judge.safetensors "$out/judge/"
cp $golden/judge/judge.safetensors "$out/weights/"
cp "$tokenizer" "$transformer" "$out/weights/"
size=$(wc -c <"$tokenizer")
join "$(printf '\\%03o\\%03o\\%03o\\%03o' $((size & 255)) $((size >> 8 & 255)) $((size >> 16 & 255)) $((size >> 24)))" "$tokenizer" "$transformer" \
  >"$out/convert/tiny"

join '\0' $golden/clip/model/config.json >"$out/clip/config"
{ join '\1' models/clip/vocab.json; join '\0' models/clip/merges.txt; printf '\0a photo of a teapot'; } >"$out/clip/words"

printf '{"sketches": [{"file": "a.png", "class": "teapot"}], "recipes": ["balanced"], "seeds": [0, 1], "settings": {"steps": [4, 8]}}' >"$out/spec/small"
find docs tests -name '*.json' -path '*eval*' -exec cp {} "$out/spec/" \;
{ printf '\0'; sed -n '/^{"tokenizer"/p' docs/training.md; } >"$out/training/spec"
{ printf '\1masksketch tokens 1\ncells 16 hands 2\nfuzz\n'; head -c 2000 /dev/zero; } >"$out/training/tokens"
{ printf '\2\2\1\4'; head -c 96 /dev/zero; printf '\1\0\3'; head -c 96 /dev/zero; } >"$out/training/records"
printf '\3\100\0\61' >"$out/training/checkpoint"
join '\0' "$out/text/draw" >"$out/body/json"
printf '\1multipart/form-data; boundary=X\n--X\r\nContent-Disposition: form-data; name="class"\r\n\r\nteapot\r\n--X--\r\n' >"$out/body/form"
printf '\2iVBORw0KGgoAAAANSUhEUgAA_-+/Ag==' >"$out/body/base64"

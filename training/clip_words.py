# SPDX-License-Identifier: Apache-2.0
"""The small CLIP's words: texts that name a rendered object, and a tokenizer cut down to what they need.

CLIP's byte-level BPE has 49,408 tokens, most of a small model's weight. `reduce` keeps the 512 byte tokens, which spell anything, and those
merges that the words below use, in their order: such words get the very tokens of the whole tokenizer (renumbered), others fall into pieces.
"""
import json
import os
import re

import numpy as np

import config as configs
import render

COLOURS = ["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "grey", "black", "beige"]
KINDS = ["photo", "sketch", "cartoon", "coloured pencil"]
PHOTO, SKETCH, CARTOON, PENCIL = (1 << k for k in range(4))
ANY, DRAWN = 15, SKETCH | CARTOON | PENCIL

_WORLD = render.library()
SYNONYMS = {name: render.synonyms(_WORLD, label) for label, name in enumerate(configs.OBJECTS)} | {"grey": ["gray"], "purple": ["violet"], "beige": ["cream", "tan"]}
# What a text begins with, and the kinds of picture that it is true of.
OPENINGS = [("a photo of {}", PHOTO, 4), ("a photograph of {}", PHOTO, 1), ("a picture of {}", ANY, 1), ("an image of {}", ANY, 1), ("a studio photo of {}", PHOTO, 1),
            ("a small photo of {}", PHOTO, 1), ("a realistic photo of {}", PHOTO, 1), ("{}", ANY, 3),
            ("a sketch of {}", SKETCH, 3), ("a line drawing of {}", SKETCH, 1), ("a black and white sketch of {}", SKETCH, 1), ("a drawing of {}", DRAWN, 2),
            ("a cartoon of {}", CARTOON, 1), ("a coloured pencil drawing of {}", PENCIL, 1), ("a painting of {}", CARTOON | PENCIL, 1)]
# Words that say nothing here; they are learned to be passed over.
FILLERS = ["small", "big", "large", "little", "nice", "beautiful", "old", "new", "shiny", "clean", "bright", "simple", "single", "good", "detailed", "real",
           "pretty", "modern", "tall", "round", "wooden", "fresh", "cute", "funny", "lovely", "plain"]
ENDINGS = ["on a plain background", "in a studio", "on a table", "studio light", "with a soft shadow", "high quality", "close up", "isolated", "on white",
           "in front of a wall", "4k", "for sale", "at home"]
EXTRA = "the an it is this that of to in for with and or not one two three some very light dark color colour style hand drawn pen ink marker thick thin line lines shape object thing " \
        "side view front left right no by from my your pencil art draw drawn paper leaf stem handle roof door window wheel sail wing tail leg shade base"


class Words:
    """A tokenizer: vocabulary (spelling -> id) and merges (pair -> rank). Plain ASCII texts only: training needs no other."""

    def __init__(self, vocabulary, merges):
        self.vocabulary, self.merges, self.known = vocabulary, merges, {}
        self.rank = {pair: k for k, pair in enumerate(merges)}
        self.start, self.end = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]

    def used_by(self, word):
        """The merges that spell a word, and its pieces."""
        pieces, used = list(word[:-1]) + [word[-1] + "</w>"], []
        while len(pieces) > 1:
            pair = min(zip(pieces, pieces[1:]), key=lambda p: self.rank.get(p, 1 << 30))
            if pair not in self.rank:
                break
            used.append(pair)
            joined, k = [], 0
            while k < len(pieces):
                both = tuple(pieces[k:k + 2]) == pair
                joined.append(pieces[k] + pieces[k + 1] if both else pieces[k])
                k += 1 + both
            pieces = joined
        return used, pieces

    def encode(self, text):
        ids = [self.start]
        for word in re.findall(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+", text.lower()):
            if word not in self.known:
                self.known[word] = [self.vocabulary[p] for p in self.used_by(word)[1]]
            ids += self.known[word]
        return ids + [self.end]

    def batch(self, texts, limit=77):
        """-> ids n x longest (end tokens behind the end), and the place of each text's first end token."""
        rows = [self.encode(t)[:limit] for t in texts]
        ids = np.full((len(rows), max(map(len, rows))), self.end, np.int64)
        for k, row in enumerate(rows):
            ids[k, :len(row)] = row
        return ids, np.array([len(r) - 1 for r in rows])


def read(folder):
    with open(os.path.join(folder, "vocab.json"), encoding="utf-8") as f:
        vocabulary = json.load(f)
    with open(os.path.join(folder, "merges.txt"), encoding="utf-8") as f:
        merges = [tuple(line.split()) for line in f if line.strip() and not line.startswith("#version")]
    return Words(vocabulary, merges)


def reduce(whole):
    """The cut-down tokenizer: byte tokens, then a token for every merge kept, then start and end."""
    names = configs.OBJECTS + COLOURS + FILLERS + ENDINGS + [o for o, _, _ in OPENINGS] + sum(SYNONYMS.values(), []) + KINDS + [EXTRA]
    words = sorted(set(re.findall("[a-z]+", " ".join(names) + " " + " ".join(o + "s" for o in configs.OBJECTS))))
    kept = sorted({pair for w in words for pair in whole.used_by(w)[0]}, key=whole.rank.get)
    order = sorted(whole.vocabulary, key=whole.vocabulary.get)[:512] + ["".join(pair) for pair in kept]
    vocabulary = {spelling: k for k, spelling in enumerate(dict.fromkeys(order))}
    for special in ("<|startoftext|>", "<|endoftext|>"):
        vocabulary[special] = len(vocabulary)
    return Words(vocabulary, kept)


def write(words, folder):
    with open(os.path.join(folder, "vocab.json"), "w", encoding="utf-8") as f:
        json.dump(words.vocabulary, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in words.merges))


def _article(words):
    return ("an " if words[0] in "aeiou" else "a ") + words


class Texts:
    """Random texts. An item is (text, class, colour or -1, kinds)."""

    def __init__(self, rng):
        self.rng, weight = rng, np.array([w for _, _, w in OPENINGS], float)
        self.weight = weight / weight.sum()

    def _name(self, word):
        others = SYNONYMS.get(word, [])
        return others[self.rng.integers(len(others))] if others and self.rng.random() < 0.2 else word

    def make(self, label, colour, kind=None):
        """kind: its bit; the opening must be true of it. None: any."""
        weight = self.weight if kind is None else self.weight * np.array([bool(k & kind) for _, k, _ in OPENINGS])
        opening, kinds, _ = OPENINGS[self.rng.choice(len(OPENINGS), p=weight / weight.sum())]
        name = self._name(configs.OBJECTS[label])
        colour = colour if colour >= 0 and self.rng.random() < 0.65 else -1
        if colour >= 0:
            name = self._name(COLOURS[colour]) + " " + name
        r = self.rng.random()
        if r < 0.15:
            name = FILLERS[self.rng.integers(len(FILLERS))] + " " + name
        elif r < 0.19:
            name = "".join(chr(97 + c) for c in self.rng.integers(26, size=self.rng.integers(2, 9))) + " " + name
        text = opening.format(name if opening == "{}" and self.rng.random() < 0.4 else _article(name) if self.rng.random() < 0.85 else "a " + name)
        if self.rng.random() < 0.15:
            text += (", " if self.rng.random() < 0.5 else " ") + ENDINGS[self.rng.integers(len(ENDINGS))]
        return text + ("." if self.rng.random() < 0.1 else ""), label, colour, kinds


def plain(kind, label, colour=-1):
    """The text that measurements use: "a photo of a red apple"."""
    name = configs.OBJECTS[label] if colour < 0 else COLOURS[colour] + " " + configs.OBJECTS[label]
    return f"a {kind} of " + _article(name)

# SPDX-License-Identifier: Apache-2.0
"""Turns the stroke files (SVG paths on a 256 x 256 sheet: M L C Q Z, absolute) into drawings by several hands.

    rasterise.py OUT_FOLDER [NAME ...] [--size 512] [--hands pen,thin,marker,pencil,chalk,paper]

pen: even lines; thin: a fine liner with wobble; marker: thick; chalk: light on dark; paper: a photographed sheet with uneven light,
grain and a slight turn; pencil: grey, broken, drawn twice. The same name and hand give the same picture. Needs Pillow and NumPy."""
import argparse
import pathlib
import re
import zlib

import numpy as np
from PIL import Image, ImageFilter

HERE = pathlib.Path(__file__).parent
HANDS = ("pen", "thin", "marker", "pencil", "chalk", "paper")


def polylines(svg_text):
    """The paths of a stroke file as a list of (n, 2) arrays of points."""
    lines = []
    for d in re.findall(r'<path d="([^"]+)"', svg_text):
        tokens = re.findall(r"[MLCQZ]|-?\d+(?:\.\d+)?", d)
        points, at, i, start = [], None, 0, None
        while i < len(tokens):
            command = tokens[i]
            i += 1
            if command == "Z":
                points.append(start)
                continue
            need = {"M": 1, "L": 1, "Q": 2, "C": 3}[command]
            while i < len(tokens) and tokens[i] not in "MLCQZ":
                p = [np.array([float(tokens[i + 2 * k]), float(tokens[i + 2 * k + 1])]) for k in range(need)]
                i += 2 * need
                if command == "M":
                    if points:
                        lines.append(np.array(points))
                    points, start = [p[0]], p[0]
                elif command == "L":
                    points.append(p[0])
                else:
                    for t in np.linspace(0, 1, 33)[1:]:
                        if command == "Q":
                            points.append((1 - t) ** 2 * at + 2 * t * (1 - t) * p[0] + t * t * p[1])
                        else:
                            points.append((1 - t) ** 3 * at + 3 * t * (1 - t) ** 2 * p[0] + 3 * t * t * (1 - t) * p[1] + t ** 3 * p[2])
                at = p[-1]
        lines.append(np.array(points))
    return lines


def resample(line, step):
    """Points every `step` along a polyline."""
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.arange(0, max(length[-1], step), step)
    return np.stack([np.interp(at, length, line[:, k]) for k in range(2)], 1)


def smooth_noise(rng, count, period):
    knots = rng.normal(size=int(count / period) + 3)
    return np.interp(np.arange(count) / period, np.arange(len(knots)), knots)


def ink(lines, size, rng, width, wobble=0.0, gaps=0.0, passes=1):
    """Coverage (size x size, 0..1) of discs set along the lines."""
    scale = size / 256
    canvas = np.zeros((size, size), np.float32)
    for _ in range(passes):
        for line in lines:
            points = resample(line, 0.5)
            n = len(points)
            for k in range(2):
                points[:, k] += wobble * smooth_noise(rng, n, 40) + (0.6 * rng.normal() if passes > 1 else 0)
            radius = width / 2 * (1 + 0.15 * smooth_noise(rng, n, 60)) * scale
            pressure = np.clip(1 - gaps * np.maximum(0, smooth_noise(rng, n, 50)), 0, 1)
            for (x, y), r, a in zip(points * scale, radius, pressure):
                x0, x1, y0, y1 = int(x - r - 2), int(x + r + 3), int(y - r - 2), int(y + r + 3)
                if x1 <= 0 or y1 <= 0 or x0 >= size or y0 >= size:
                    continue
                x0, y0 = max(x0, 0), max(y0, 0)
                gy, gx = np.mgrid[y0:min(y1, size), x0:min(x1, size)]
                disc = np.clip(r + 0.5 - np.hypot(gx + 0.5 - x, gy + 0.5 - y), 0, 1) * a
                view = canvas[y0:min(y1, size), x0:min(x1, size)]
                np.maximum(view, disc, out=view)
    return canvas


def drawing(lines, hand, size, seed):
    rng = np.random.default_rng(seed)
    if hand == "pen":
        grey = 1 - ink(lines, size, rng, 4.0, 0.5)
    elif hand == "thin":
        grey = 1 - 0.9 * ink(lines, size, rng, 2.0, 1.2)
    elif hand == "marker":
        grey = 1 - ink(lines, size, rng, 9.0, 0.8)
    elif hand == "pencil":
        grey = 1 - 0.7 * ink(lines, size, rng, 2.4, 1.5, gaps=0.9, passes=2)
    elif hand == "chalk":
        grey = 0.12 + 0.8 * ink(lines, size, rng, 5.0, 0.8, gaps=0.3)
    elif hand == "paper":
        cover = ink(lines, size, rng, 3.6, 0.8)
        y, x = np.mgrid[0:size, 0:size] / size
        light = 0.80 - 0.28 * x - 0.14 * y + 0.05 * np.sin(4 * x + 3 * y)
        shadow = 1 - 0.22 / (1 + np.exp(-(x + 0.6 * y - 1.05) * 22))
        grain = rng.normal(size=(size, size)).astype(np.float32) * 0.012
        grey = light * shadow * (1 - 0.75 * cover) + grain
        picture = np.stack([grey, grey * 0.965, grey * 0.89], 2)
        image = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))
        return image.rotate(-2.0, Image.BICUBIC, fillcolor=tuple(int(v) for v in np.array(image)[4, 4]))
    else:
        raise SystemExit(f"no hand '{hand}'; there are {', '.join(HANDS)}")
    return Image.fromarray((np.clip(grey, 0, 1) * 255).astype(np.uint8))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("names", nargs="*", help="stroke files without .svg; default: all")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--hands", default="pen")
    arguments = parser.parse_intermixed_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    names = arguments.names or sorted(p.stem for p in (HERE / "strokes").glob("*.svg"))
    for name in names:
        lines = polylines((HERE / "strokes" / f"{name}.svg").read_text())
        for hand in arguments.hands.split(","):
            seed = zlib.crc32(f"{name}/{hand}".encode())
            drawing(lines, hand, arguments.size, seed).save(arguments.out / f"{name}-{hand}.png", optimize=True)


if __name__ == "__main__":
    main()

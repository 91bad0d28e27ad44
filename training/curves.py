# SPDX-License-Identifier: Apache-2.0
"""Draws curves.jsonl as one SVG, a row a stage and a panel a quantity: no library needed. Time runs over trained minutes.

    python curves.py WORK [OUT.svg]      default WORK/curves.svg
"""
import json
import math
import os
import sys

WIDTH, HEIGHT, LEFT, TOP, GAP = 210, 120, 44, 20, 14
SKIPPED = ("stage", "step", "seconds")
COLOUR = "#2a6f97"


def read(path):
    """-> {stage: {quantity: [(minutes, value), ...]}}, in the order of appearance. A line cut by a kill is passed over."""
    stages = {}
    with open(path) as f:
        for line in f:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            for name, value in row.items():
                if name not in SKIPPED and isinstance(value, (int, float)) and math.isfinite(value):
                    stages.setdefault(row["stage"], {}).setdefault(name, []).append((row.get("seconds", 0.0) / 60, value))
    return stages


def _number(value):
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _panel(title, points, x0, y0):
    times, values = zip(*points)
    low, high, last = min(values), max(values), max(max(times), 1e-6)
    span = (high - low) or abs(high) or 1.0
    place = lambda t, v: (x0 + LEFT + t / last * (WIDTH - LEFT), y0 + TOP + (1 - (v - low) / span) * (HEIGHT - TOP - 16))
    line = " ".join("%.1f,%.1f" % place(t, v) for t, v in points)
    x, y = place(times[-1], values[-1])
    bottom = y0 + HEIGHT - 16
    return [f'<text x="{x0 + LEFT}" y="{y0 + 12}" font-weight="bold">{title}</text>',
            f'<path d="M{x0 + LEFT} {y0 + TOP}V{bottom}H{x0 + WIDTH}" fill="none" stroke="#999"/>',
            f'<polyline points="{line}" fill="none" stroke="{COLOUR}" stroke-width="1.5"/>', f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{COLOUR}"/>',
            f'<text x="{x0 + LEFT - 4}" y="{y0 + TOP + 4}" text-anchor="end">{_number(high)}</text>',
            f'<text x="{x0 + LEFT - 4}" y="{bottom}" text-anchor="end">{_number(low)}</text>',
            f'<text x="{x0 + WIDTH}" y="{y0 + 12}" text-anchor="end" fill="{COLOUR}">{_number(values[-1])}</text>',
            f'<text x="{x0 + WIDTH}" y="{bottom + 12}" text-anchor="end">{_number(last)} min</text>']


def svg(stages):
    parts, y, columns = [], GAP, 5
    for stage, quantities in stages.items():
        parts.append(f'<text x="{GAP}" y="{y + 14}" font-size="15">{stage}</text>')
        y += 22
        for k, (name, points) in enumerate(quantities.items()):
            parts += _panel(name, points, GAP + k % columns * (WIDTH + GAP), y + k // columns * (HEIGHT + GAP))
        y += -(-len(quantities) // columns) * (HEIGHT + GAP) + GAP
    size = f'width="{columns * (WIDTH + GAP) + 2 * GAP}" height="{y}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">', f'<rect {size} fill="white"/>', *parts, "</svg>\n"])


def draw(work, out=None):
    out = out or os.path.join(work, "curves.svg")
    text = svg(read(os.path.join(work, "curves.jsonl")))
    with open(out + ".part", "w") as f:
        f.write(text)
    os.replace(out + ".part", out)


if __name__ == "__main__":
    draw(*sys.argv[1:3])

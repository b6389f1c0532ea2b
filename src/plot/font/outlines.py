"""Writes outlines.rs: the letters of a TrueType font as paths. python outlines.py DejaVuSans.ttf > outlines.rs"""

import sys
from itertools import chain

from fontTools.pens.basePen import decomposeQuadraticSegment
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont

# What titles and numbers need: Latin, Greek, Cyrillic, sub- and superscripts, some signs of money and mathematics.
RANGES = (
    "20-7E,A0-17F,218-21B,370-3FF,400-45F,490,491,1D40,1E9E,2010-2015,2018-201E,2020-2022,2026,2030,2032,2033,2070-209C,20AC,"
    "2103,2116,2122,2190-2194,2200,2202,2203,2207,2208,220F,2211,2212,221A,221D,221E,222B,2248,2260,2261,2264,2265"
)


def codes():
    for part in RANGES.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)


def halves(points):
    """Coordinates in half units, because the points between two controls lie on halves."""
    for coordinate in chain.from_iterable(points):
        doubled = 2 * coordinate
        assert doubled == int(doubled), coordinate
        yield str(int(doubled))


def path(font, name):
    """The outline as a path of SVG: M, L, Q and Z, upwards."""
    pen = DecomposingRecordingPen(font.getGlyphSet())
    font.getGlyphSet()[name].draw(pen)
    parts = []
    for operator, points in pen.value:
        match operator:
            case "moveTo" | "lineTo":
                parts.append(("M" if operator == "moveTo" else "L", points))
            case "qCurveTo":
                assert points[-1] is not None, name
                parts.extend(("Q", segment) for segment in decomposeQuadraticSegment(points))
            case "closePath":
                parts.append(("Z", ()))
            case _:
                raise ValueError(f"{operator} in {name}")
    return "".join(letter + " ".join(halves(points)) for letter, points in parts)


def main():
    font = TTFont(sys.argv[1])
    names, metrics = font.getBestCmap(), font["hmtx"]
    known = [(code, names[code]) for code in codes() if code in names]
    print("//! Made by `outlines.py` from DejaVu Sans 2.37; see the note beside it.\n")
    print("/// Font units to the font size.")
    print(f"pub(in crate::plot) const UNITS: f64 = {font['head'].unitsPerEm}.0;\n")
    print("/// The letters in order: how far each moves the pen, in font units, and its outline: a path of SVG in")
    print("/// half units, upwards.")
    print("#[rustfmt::skip]")
    print(f"pub(super) static LETTERS: [(char, (u16, &str)); {len(known)}] = [")
    for code, name in known:
        print(f'    (\'\\u{{{code:x}}}\', ({metrics[name][0]}, "{path(font, name)}")),')
    print("];")


main()

# SPDX-License-Identifier: Apache-2.0
"""Pixels between Krita's bytes and Qt's images. Krita keeps a layer in its own colour model and
depth, rows of pixels without gaps: B G R A in 8 and 16 bits, R G B A as floats, G A, C M Y K A."""
import array
import struct

from PyQt5.QtCore import QBuffer, QIODevice, QRectF, Qt
from PyQt5.QtGui import QImage, QPainter

SIDE = 1024  # what is sent has at most so many pixels a side; the models see 256 or 512
GREY = QImage.Format_Grayscale8
CHANNELS = {"RGBA": 4, "GRAYA": 2, "CMYKA": 5}
BYTES = {"U8": 1, "U16": 2, "F16": 2, "F32": 4}


def is_known(model, depth):
    """Whether to_image() can read it."""
    return model in CHANNELS and depth in BYTES and not (model == "CMYKA" and depth[0] == "F")


def half_grey(model, depth):
    """A pixel's bytes: one half in each channel, and opaque."""
    half, whole, kind = {"U8": (128, 255, "B"), "U16": (32896, 65535, "H"),
                         "F16": (0.5, 1.0, "e"), "F32": (0.5, 1.0, "f")}[depth]
    colours = CHANNELS[model] - 1
    return struct.pack(f"<{colours + 1}{kind}", *[half] * colours, whole)


def reduction(width, height):
    """The whole number by which a canvas is made smaller before it is sent."""
    return max(1, -(-max(width, height) // SIDE))


def _to_8_bits(data, depth, linear):
    """One byte a channel value."""
    if depth[0] == "U":
        values = data if depth == "U8" else data[1::2]
        return values.translate(_byte_curve()) if linear else values
    if depth == "F16":
        table = _half_table(linear)
        return bytes([table[v] for v in memoryview(data).cast("H")])
    values = array.array("f", data)
    curve = _curve(linear)
    return bytes([curve[int(v * 4095)] if 0 < v < 1 else 255 * (v >= 1) for v in values])


def _encode(value, linear):
    """0 to 1 as a byte of sRGB; `linear` light is brought onto its curve first."""
    value = min(1.0, max(0.0, value)) if value == value else 0.0
    if linear:
        value = 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
    return int(255 * value + 0.5)


def _decode(value, linear):
    """The opposite of _encode()."""
    value /= 255
    if linear:
        value = value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
    return value


_tables = {}


def _curve(linear):
    key = ("curve", linear)
    if key not in _tables:
        _tables[key] = bytes(_encode((i + 0.5) / 4096, linear) for i in range(4096))
    return _tables[key]


def _byte_curve():
    if "bytes" not in _tables:
        _tables["bytes"] = bytes(_encode(i / 255, True) for i in range(256))
    return _tables["bytes"]


def _half_table(linear):
    key = ("half", linear)
    if key not in _tables:
        halves = struct.unpack("<65536e", array.array("H", range(65536)).tobytes())
        _tables[key] = bytes(_encode(v, linear) for v in halves)
    return _tables[key]


def _cover(opacity, linear):
    """Opacity as _to_8_bits() has it, for painting on white: Krita mixes linear light where that is
    the profile's, so that black of one half leaves the paper grey of 188."""
    if not linear:
        return opacity
    if "cover" not in _tables:
        _tables["cover"] = bytes(255 - _encode(1 - _decode(i, True), True) for i in range(256))
    return opacity.translate(_tables["cover"])


def _plane(values, width, height):
    """A grey image of one channel; it copies, for Qt does not keep Python's bytes alive."""
    return QImage(values, width, height, width, QImage.Format_Grayscale8).copy()


def _blend(below, above, mode):
    painter = QPainter(below)
    painter.setCompositionMode(mode)
    painter.drawImage(0, 0, above)
    painter.end()
    return below


def _colours(values, model, width, height):
    """The pixels without their opacity, as RGB32."""
    if model == "GRAYA":
        return _plane(values[0::2], width, height).convertToFormat(QImage.Format_RGB32)
    # C M Y K: what each ink leaves of white, times what black leaves
    inks = [values[i::5].translate(_INVERTED) for i in range(4)]
    rgb = bytearray(b"\xff") * (4 * width * height)
    for place, ink in zip((2, 1, 0), inks):
        rgb[place::4] = ink
    image = QImage(bytes(rgb), width, height, 4 * width, QImage.Format_RGB32).copy()
    black = _plane(inks[3], width, height).convertToFormat(QImage.Format_RGB32)
    return _blend(image, black, QPainter.CompositionMode_Multiply)


_INVERTED = bytes(255 - i for i in range(256))


def to_image(data, width, height, model, depth, linear=False):
    """Krita's bytes on white paper, as QImage RGB32. `model` and `depth` must be known."""
    values = _to_8_bits(bytes(data), depth, linear)
    if model == "RGBA":
        pixels = bytearray(values)
        if depth[0] == "F":
            pixels[0::4], pixels[2::4] = values[2::4], values[0::4]
        pixels[3::4] = _cover(values[3::4], linear)
        image = QImage(bytes(pixels), width, height, 4 * width, QImage.Format_ARGB32).copy()
    else:
        image = _colours(values, model, width, height).convertToFormat(QImage.Format_ARGB32)
        channels = CHANNELS[model]
        image.setAlphaChannel(_plane(_cover(values[channels - 1::channels], linear), width, height))
    paper = QImage(width, height, QImage.Format_RGB32)
    paper.fill(Qt.white)
    return _blend(paper, image, QPainter.CompositionMode_SourceOver)


def smaller(image, factor):
    """The mean of factor x factor pixels; what is left over at the edges counts as one."""
    if factor == 1:
        return image
    return image.scaled(-(-image.width() // factor), -(-image.height() // factor),
                        Qt.IgnoreAspectRatio, Qt.SmoothTransformation)


def to_png(image):
    buffer = QBuffer()
    buffer.open(QIODevice.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(buffer.data())


def from_file(data):
    """A QImage of PNG or JPEG bytes, or None."""
    image = QImage.fromData(data)
    return None if image.isNull() else image


class Sheet:
    """A square picture as it lies on a canvas, made row by row when it is asked for. Either its
    side is the canvas's longer one and its middle the canvas's, the opposite of the server's
    fit=pad; or, with a grey mask, it is stretched over the canvas and shown only there."""

    def __init__(self, picture, width, height, mask=None):
        side = max(width, height)
        across, down = (side, side) if mask is None else (width, height)
        if picture.width() > across or picture.height() > down:  # painters only enlarge well
            picture = picture.scaled(min(across, picture.width()), min(down, picture.height()),
                                     Qt.IgnoreAspectRatio, Qt.SmoothTransformation)
        self.picture, self.mask, self.width, self.height = picture, mask, width, height
        self.place = QRectF((width - across) // 2, (height - down) // 2, across, down)

    def rows(self, top, count):
        """Some of its rows, as ARGB32."""
        rows = self._paint(self.picture, QImage.Format_ARGB32, top, count)
        if self.mask is not None:
            rows.setAlphaChannel(self._paint(self.mask, GREY, top, count))
        return rows

    def _paint(self, image, kind, top, count):
        rows = QImage(self.width, count, kind)
        painter = QPainter(rows)
        painter.setRenderHint(QPainter.SmoothPixmapTransform)
        painter.drawImage(self.place.translated(0, -top), image)
        painter.end()
        return rows


def _byte_tables(depth, linear):
    """For each byte of a channel's value, what it is for each value of 8 bits."""
    key = (depth, linear)
    if key not in _tables:
        if depth == "U16":
            packed = struct.pack("<256H", *(257 * i for i in range(256)))
        else:
            packed = struct.pack("<256e" if depth == "F16" else "<256f",
                                 *(_decode(i, linear) for i in range(256)))
        _tables[key] = [packed[i::BYTES[depth]] for i in range(BYTES[depth])]
    return _tables[key]


def to_bytes(image, depth="U8", linear=False):
    """An ARGB32 image as Krita's RGBA of that depth."""
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    values = bytes(bits)
    if depth == "U8":
        return values
    size = BYTES[depth]
    data = bytearray(size * len(values))
    for place, channel in enumerate((2, 1, 0, 3) if depth[0] == "F" else (0, 1, 2, 3)):
        # opacity is no light, and has no curve
        for i, table in enumerate(_byte_tables(depth, linear and channel != 3)):
            data[place * size + i::4 * size] = values[channel::4].translate(table)
    return bytes(data)

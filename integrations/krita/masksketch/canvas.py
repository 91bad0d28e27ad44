# SPDX-License-Identifier: Apache-2.0
"""A document's layers, read and written piece by piece, so that the interface never waits: each
turn of the event loop moves some hundred thousand pixels, whatever the canvas's size."""
import zlib

from PyQt5.QtCore import QByteArray, QObject, QTimer, Qt
from PyQt5.QtGui import QImage, QPainter

from . import pixels

PIECE = 1 << 17  # pixels a turn; 1 MB at 16 bits a channel
SLOW_PIECE = 1 << 15  # of floats, which Python converts one by one
SETTLED = 100  # ms
SRGB = "sRGB-elle-V2-srgbtrc.icc"
LINEAR_SRGB = "sRGB-elle-V2-g10.icc"  # Krita's own for floats


def is_open(document):
    from krita import Krita
    return any(document == other for other in Krita.instance().documents())


def rows_of(width, depth, factor):
    """Rows a turn: a multiple of the reduction, so that pieces meet without a seam."""
    most = SLOW_PIECE if depth.startswith("F") else PIECE
    return max(1, most // max(1, width) // factor) * factor


_linear = {SRGB: False, LINEAR_SRGB: True}


def is_linear(model, depth, profile):
    """Whether a profile has light's own scale. Its name need not say so, so Krita is asked, once
    for each: half of it becomes about 128 of 255 in sRGB, or 188 where the scale is light's."""
    if profile not in _linear and model != "CMYKA" and pixels.is_known(model, depth):
        from krita import Krita
        probe = Krita.instance().createDocument(1, 1, "probe", model, depth, profile, 72.0)
        layer = probe.createNode("probe", "paintlayer")
        probe.rootNode().addChildNode(layer, None)
        layer.setPixelData(QByteArray(pixels.half_grey(model, depth)), 0, 0, 1, 1)
        layer.setColorSpace("RGBA", "U8", SRGB)
        _linear[profile] = bytes(layer.pixelData(0, 0, 1, 1))[1] > 158
        probe.setModified(False)
        probe.close()
    return _linear.get(profile, False)


class Reader(QObject):
    """Reads a layer (or a selection, as a grey image) and calls done(image, checksum), or
    failed(text) where the document or layer is gone. It lives until one of them was called."""

    def __init__(self, document, node, selection, done, failed):
        super().__init__()
        self.document, self.node, self.selection = document, node, selection
        self.done, self.failed = done, failed
        self.width, self.height = document.width(), document.height()
        self.factor = pixels.reduction(self.width, self.height)
        self.image = QImage(-(-self.width // self.factor), -(-self.height // self.factor),
                            QImage.Format_RGB32)
        self.image.fill(Qt.black if selection is not None else Qt.white)
        self.top, self.checksum, self.stopped = 0, 0, False
        if node is not None and not pixels.is_known(node.colorModel(), node.colorDepth()):
            # Lab, XYZ, YCbCr: Krita converts a copy, at once
            self.node = node.duplicate()
            self.node.setColorSpace("RGBA", "U8", SRGB)
        if node is not None:
            self.model, self.depth = self.node.colorModel(), self.node.colorDepth()
            self.linear = is_linear(self.model, self.depth, self.node.colorProfile())
        else:
            self.model, self.depth, self.linear = "GRAYA", "U8", False
        self.rows = rows_of(self.width, self.depth, self.factor)
        QTimer.singleShot(0, self._turn)

    def stop(self):
        self.stopped = True

    def _turn(self):
        if self.stopped:
            return
        if not is_open(self.document):
            self.failed("the document was closed")
            return
        if self.selection is None and not pixels.is_known(self.model, self.depth):
            self.failed(f"a layer in {self.model} {self.depth} cannot be read: convert it to RGB")
            return
        self._read_rows()
        if self.top < self.height:
            QTimer.singleShot(0, self._turn)
        else:
            self.done(self.image, self.checksum)

    def _read_rows(self):
        rows = min(self.rows, self.height - self.top)
        if self.selection is not None:
            data = bytes(self.selection.pixelData(0, self.top, self.width, rows))
            piece = QImage(data, self.width, rows, self.width, QImage.Format_Grayscale8).copy()
        else:
            data = bytes(self.node.projectionPixelData(0, self.top, self.width, rows))
            piece = pixels.to_image(data, self.width, rows, self.model, self.depth, self.linear)
        self.checksum = zlib.crc32(data, self.checksum)
        self._place(piece, self.top)
        self.top += rows

    def _place(self, piece, top):
        painter = QPainter(self.image)
        painter.drawImage(0, top // self.factor, pixels.smaller(piece, self.factor))
        painter.end()


class Writer(QObject):
    """Puts a pixels.Sheet of the document's size into a new layer above `below`, and that layer
    into the document when it is whole: one step to undo. Calls done() or failed(text)."""

    def __init__(self, document, below, name, sheet, done, failed):
        super().__init__()
        self.document, self.below, self.sheet = document, below, sheet
        self.done, self.failed = done, failed
        self.layer = document.createNode(name, "paintlayer")
        self.depth, profile = self.layer.colorDepth(), self.layer.colorProfile()
        if self.layer.colorModel() != "RGBA" or \
                profile not in (SRGB, LINEAR_SRGB if self.depth[0] == "F" else SRGB):
            # of its own colour space; Krita composes the whole document anew for that, and waits
            self.layer.setColorSpace("RGBA", "U8", SRGB)
            self.depth, profile = "U8", SRGB
        self.linear = is_linear("RGBA", self.depth, profile)
        self.top, self.rows = 0, rows_of(sheet.width, self.depth, 1)
        QTimer.singleShot(0, self._turn)

    def _turn(self):
        if not is_open(self.document):
            self.failed("the document was closed: the picture is dropped")
            return
        rows = min(self.rows, self.sheet.height - self.top)
        data = pixels.to_bytes(self.sheet.rows(self.top, rows), self.depth, self.linear)
        self.layer.setPixelData(QByteArray(data), 0, self.top, self.sheet.width, rows)
        self.top += rows
        if self.top < self.sheet.height:
            QTimer.singleShot(0, self._turn)
        else:
            self._insert()

    def _insert(self):
        parent = self.below.parentNode() if self.below is not None else None
        if parent is None:  # the layer was removed meanwhile
            parent, self.below = self.document.rootNode(), None
        parent.addChildNode(self.layer, self.below)  # and shows it: nothing needs refreshing
        QTimer.singleShot(SETTLED, self._go_back)

    def _go_back(self):
        """Krita makes a new layer the active one in its own time; one draws on with the other."""
        if is_open(self.document) and self.below is not None and \
                self.document.activeNode() == self.layer:
            self.document.setActiveNode(self.below)
        self.done()

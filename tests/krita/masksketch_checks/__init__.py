# SPDX-License-Identifier: Apache-2.0
"""The docker driven inside the real Krita: each check is a generator that yields until a condition
holds, so that Krita's own loop goes on between. krita.py sets the environment and reads the end."""
import json
import os
import subprocess
import sys
import time
import traceback

from krita import Extension, Krita, Selection
from PyQt5.QtCore import QByteArray, QPoint, QRect, Qt, QTimer
from PyQt5.QtGui import QColor, QImage, QPainter, QPen
from PyQt5.QtWidgets import QDockWidget

from masksketch import canvas, pixels

FOLDER = os.environ["MSK_CHECKS"]
PROGRAM = os.environ["MSK_PROGRAM"]
SRGB = "sRGB-elle-V2-srgbtrc.icc"
PATIENCE = 60


def mask_docker():
    for docker in Krita.instance().dockers():
        if docker.objectName() == "masksketch":
            return docker
    raise AssertionError("the docker is not there")


def drawing(width, height, paper=Qt.white, ink=QColor(20, 20, 20)):
    """A teapot, roughly, in the middle of a sheet."""
    image = QImage(width, height, QImage.Format_ARGB32)
    image.fill(paper)
    side = min(width, height)
    painter = QPainter(image)
    painter.translate(width / 2, height / 2)
    painter.scale(side / 256, side / 256)
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setPen(QPen(ink, 4))
    painter.drawEllipse(QRect(-60, -40, 120, 100))
    painter.drawArc(QRect(40, -30, 60, 70), -90 * 16, 180 * 16)
    painter.drawLine(QPoint(-60, 20), QPoint(-105, -30))
    painter.drawLine(QPoint(-60, 40), QPoint(-95, -35))
    painter.drawLine(QPoint(-30, -38), QPoint(30, -38))
    painter.drawEllipse(QRect(-8, -54, 16, 16))
    painter.end()
    return image


def new_document(width, height, model="RGBA", depth="U8", profile=SRGB, image=None):
    """A document in front with a drawing (or the image) on a layer of its own."""
    krita = Krita.instance()
    document = krita.createDocument(width, height, "checks", model, depth, profile, 300.0)
    krita.activeWindow().addView(document)
    layer = document.createNode("Drawing", "paintlayer")
    document.rootNode().addChildNode(layer, None)
    fill(layer, drawing(width, height) if image is None else image, document)
    for _ in range(10):  # the view learns of a new layer in its own time
        yield
    document.setActiveNode(layer)
    yield from until(lambda: document.activeNode() == layer, "the layer in front")
    return document, layer


def fill(layer, image, document):
    """Pixels into a layer of the document's colour space, by way of one of 8 bits."""
    model, depth, profile = layer.colorModel(), layer.colorDepth(), layer.colorProfile()
    layer.setColorSpace("RGBA", "U8", SRGB)
    rows = QByteArray(pixels.to_bytes(image))
    layer.setPixelData(rows, 0, 0, image.width(), image.height())
    layer.setColorSpace(model, depth, profile)
    document.refreshProjection()
    document.waitForDone()


def close(document):
    document.waitForDone()
    document.setModified(False)
    document.close()


def close_settled(document):
    """When the docker has gone back to the drawing: Krita's scripts may not close what it still
    works on."""
    yield from until(lambda: mask_docker().writer is None, "the end of writing")
    for _ in range(10):
        yield
    close(document)
    for _ in range(10):
        yield


def until(condition, what):
    end = time.time() + PATIENCE
    while not condition():
        if time.time() > end:
            raise AssertionError(f"waited in vain for {what}; the docker says: "
                                 f"{mask_docker().message.text()}")
        yield


def results(document):
    return [n for n in document.rootNode().childNodes() if n.name().startswith("MaskSketch: ")]


def image_of(layer, width, height):
    data = bytes(layer.projectionPixelData(0, 0, width, height))
    return QImage(data, width, height, 4 * width, QImage.Format_ARGB32).copy()


def prepare(docker, seed="7"):
    docker.class_box.setCurrentText("teapot")
    docker.seed.setText(seed)
    docker.keep_seed.setChecked(True)


# ---- the checks ----

def check_starts_the_server():
    """No server: a word and a button; pressed, the classes come."""
    docker = mask_docker()
    yield from until(lambda: docker.start_button.isVisibleTo(docker), "the start button")
    assert not docker.draw_button.isEnabled()
    docker.start_button.click()
    yield from until(lambda: docker.class_box.count() > 0, "the classes")
    assert docker.class_box.findText("teapot", Qt.MatchStartsWith) >= 0
    assert docker.draw_button.isEnabled()


def check_same_pixels_as_the_command_line():
    """A canvas of the model's size: the layer is the command line's picture, and can be undone."""
    docker = mask_docker()
    document, layer = yield from new_document(256, 256)
    prepare(docker)
    docker.draw_button.click()
    yield from until(lambda: len(results(document)) == 1, "the layer")
    made = image_of(results(document)[0], 256, 256)
    sketch, picture = os.path.join(FOLDER, "sketch.png"), os.path.join(FOLDER, "picture.png")
    drawing(256, 256).save(sketch)
    subprocess.run([PROGRAM, "draw", sketch, "--class", "teapot", "--seed", "7", "--fit", "pad",
                    "--lambda", "0.9", "--force", "-q", "-o", picture], check=True)
    assert made.convertToFormat(QImage.Format_RGB32) == \
        QImage(picture).convertToFormat(QImage.Format_RGB32), "other pixels"
    docker.grab().save(os.path.join(FOLDER, "docker.png"))
    nodes = [n.name() for n in document.rootNode().childNodes()]
    assert nodes[-1].startswith("MaskSketch: teapot"), nodes
    yield from until(lambda: docker.writer is None, "the end of writing")
    assert document.activeNode().name() == "Drawing", document.activeNode().name()
    Krita.instance().action("edit_undo").trigger()
    yield from until(lambda: not results(document), "undo")
    Krita.instance().action("edit_redo").trigger()
    yield from until(lambda: len(results(document)) == 1, "redo")
    assert image_of(results(document)[0], 256, 256) == made, "redo brings other pixels"
    yield from close_settled(document)


def read(document, layer):
    """What would be sent; a generator that returns an image."""
    got = []
    reader = canvas.Reader(document, layer, None, lambda image, _: got.append(image), got.append)
    yield from until(lambda: got, "the reader")
    assert isinstance(got[0], QImage), got[0]
    del reader
    return got[0]


def mean_difference(a, b):
    a, b = (i.convertToFormat(QImage.Format_Grayscale8) for i in (a, b))
    assert a.size() == b.size(), (a.size(), b.size())
    total = 0
    for y in range(0, a.height(), 3):
        for x in range(0, a.width(), 3):
            total += abs(a.pixelColor(x, y).value() - b.pixelColor(x, y).value())
    return total / ((a.height() + 2) // 3 * ((a.width() + 2) // 3))


def read_as_shown(document, layer):
    """What is read from a layer of a canvas of 301 x 203 is what Krita shows of it."""
    space = layer.colorModel(), layer.colorDepth(), layer.colorProfile()
    seen = yield from read(document, layer)
    shown = document.projection(0, 0, 301, 203)
    difference = mean_difference(seen, shown)
    blank = QImage(301, 203, QImage.Format_RGB32)
    blank.fill(Qt.white)
    ink = mean_difference(blank, shown)
    assert ink > 1.5, (space, ink)
    assert difference < 0.25 * ink, (space, difference, ink)


def check_grey_profiles():
    """Grey is read as shown in each profile that is installed, whatever its curve."""
    pencil = drawing(301, 203, Qt.transparent, QColor(20, 20, 20, 140))
    for profile in Krita.instance().profiles("GRAYA", "U8"):
        document, layer = yield from new_document(301, 203, "GRAYA", "U8", profile, pencil)
        yield from read_as_shown(document, layer)
        yield from close_settled(document)


def check_colour_models():
    """What is read from a layer is what Krita itself shows of it, for every colour model and depth,
    on a canvas that is no square and whose width is odd; and a picture comes back, which Krita
    shows as it is. The drawing is of thin grey on nothing, as pencils make it; Lab mixes such grey
    with paper by another law, so that there it is of ink."""
    docker = mask_docker()
    pencil = drawing(301, 203, Qt.transparent, QColor(20, 20, 20, 140))
    spaces = [("RGBA", depth, SRGB) for depth in ("U8", "U16", "F16", "F32")]
    spaces += [(model, depth, Krita.instance().profiles(model, depth)[0]) for model, depth in
               (("GRAYA", "U8"), ("GRAYA", "U16"), ("GRAYA", "F32"), ("CMYKA", "U8"),
                ("CMYKA", "U16"), ("LABA", "U16"))]
    for model, depth, profile in spaces:
        document, layer = yield from new_document(301, 203, model, depth, profile,
                                                  pencil if model != "LABA" else None)
        yield from read_as_shown(document, layer)
        prepare(docker)
        docker.draw_button.click()
        yield from until(lambda: docker.writer is not None, "the picture")
        sheet = docker.writer.sheet.rows(0, 203)
        yield from until(lambda: results(document), f"a layer in {model} {depth}")
        made = results(document)[0]
        assert made.bounds() == QRect(0, 0, 301, 203), made.bounds()
        yield from until(lambda: docker.writer is None, "the end of writing")
        difference = mean_difference(sheet, document.projection(0, 0, 301, 203))
        print(model, depth, "shown beside made", difference, file=sys.stderr)
        assert difference < (1 if model == "RGBA" else 25), (model, depth, difference)
        yield from close_settled(document)


def away(work, what):
    """Runs a generator; reports how long the interface was away meanwhile."""
    beats, timer = [], QTimer()
    timer.timeout.connect(lambda: beats.append(time.perf_counter()))
    timer.start(1)
    yield from work
    timer.stop()
    gaps = sorted(1000 * (b - a) for a, b in zip(beats, beats[1:]))
    report[f"pauses in ms, {what}"] = \
        f"longest {gaps[-1]:.0f}, 99 of 100 below {gaps[int(.99 * len(gaps))]:.0f}"


def a_while():
    for _ in range(50):
        yield


def check_large_canvas():
    """4000 x 3000 in 16 bits. Prints how long the interface was away at most, and how long it is
    when Krita by itself takes the same layer away and brings it back."""
    docker = mask_docker()
    document, layer = yield from new_document(4000, 3000, "RGBA", "U16")
    prepare(docker)
    yield from a_while()

    def draw():
        docker.draw_button.click()
        yield from until(lambda: results(document), "the layer")
        yield from until(lambda: docker.writer is None, "the end of writing")
        yield from a_while()

    def undo_and_redo():
        Krita.instance().action("edit_undo").trigger()
        yield from until(lambda: not results(document), "undo")
        yield from a_while()
        Krita.instance().action("edit_redo").trigger()
        yield from until(lambda: results(document), "redo")
        yield from a_while()

    yield from away(draw(), "4000 x 3000 drawn")
    assert results(document)[0].bounds() == QRect(0, 0, 4000, 3000)
    yield from away(undo_and_redo(), "Krita's own undo and redo of it")
    yield from close_settled(document)


def check_repaints_the_selection():
    """Outside the selection the new layer is empty; without one a word."""
    docker = mask_docker()
    document, layer = yield from new_document(256, 200)
    prepare(docker)
    docker.repaint_button.click()
    assert "Select first" in docker.message.text()
    selection = Selection()
    selection.select(96, 60, 80, 90, 255)
    document.setSelection(selection)
    docker.repaint_button.click()
    yield from until(lambda: results(document), "the layer")
    made = image_of(results(document)[0], 256, 200)
    assert made.pixelColor(10, 10).alpha() == 0
    assert made.pixelColor(250, 190).alpha() == 0
    assert made.pixelColor(130, 100).alpha() == 255
    yield from close_settled(document)


def check_live():
    """A picture after each change, none without one, one request at a time, none after the end."""
    docker = mask_docker()
    document, layer = yield from new_document(256, 256)
    prepare(docker)
    begun, busy, begin = [], [], docker.worker.begin

    def count(request):
        busy.append(docker.worker.is_busy)
        begun.append(request)
        begin(request)

    docker.worker.begin = count
    docker.live_button.click()
    yield from until(lambda: len(begun) == 1 and not docker.worker.is_busy, "the first picture")
    assert docker.picture.pixmap() is not None
    before = time.time()
    yield from until(lambda: time.time() > before + 1.5, "a while")
    assert len(begun) == 1, "asked again although nothing was drawn"
    image = drawing(256, 256)
    painter = QPainter(image)
    painter.drawLine(0, 240, 255, 240)
    painter.end()
    fill(layer, image, document)
    yield from until(lambda: len(begun) == 2 and not docker.worker.is_busy, "the second picture")
    docker.live_button.click()
    fill(layer, drawing(256, 256), document)
    before = time.time()
    yield from until(lambda: time.time() > before + 1.5, "a while")
    assert len(begun) == 2, "asked although it is switched off"
    assert not any(busy)
    assert not results(document), "live leaves layers"
    del docker.worker.begin
    yield from close_settled(document)


def check_closed_document_and_cancel():
    """A document closed while its picture is made, and a request that is cancelled: a word each."""
    docker = mask_docker()
    document, layer = yield from new_document(256, 256)
    prepare(docker)
    docker.draw_button.click()
    yield from until(lambda: docker.worker.is_busy, "the request")
    yield from close_settled(document)
    yield from until(lambda: "was closed" in docker.message.text(), "a word")
    document, layer = yield from new_document(256, 256)
    docker.draw_button.click()
    yield from until(lambda: docker.worker.is_busy, "the request")
    docker.cancel_button.click()
    yield from until(lambda: not docker.worker.is_busy, "the end")
    yield from until(lambda: docker.message.text() == "Cancelled.", "a word")
    assert not results(document)
    assert docker.draw_button.isEnabled()
    yield from close_settled(document)


def check_mistakes():
    """An unknown class, no document, a picture as drawing, a server that is gone."""
    docker = mask_docker()
    docker.draw_button.click()
    assert "Open or make a document" in docker.message.text()
    document, layer = yield from new_document(256, 256)
    prepare(docker)
    docker.class_box.setCurrentText("zzz")
    docker.draw_button.click()
    yield from until(lambda: "zzz" in docker.message.text(), "the server's word")
    prepare(docker)
    docker.program.stop()
    docker.draw_button.click()
    yield from until(lambda: "no server" in docker.message.text(), "a word")
    assert docker.draw_button.isEnabled()
    docker.address.setText("ftp://x")
    docker.connect_server()
    assert "is no address" in docker.message.text()
    yield from close_settled(document)


CHECKS = [check_starts_the_server, check_same_pixels_as_the_command_line, check_grey_profiles,
          check_colour_models, check_large_canvas, check_repaints_the_selection, check_live,
          check_closed_document_and_cancel, check_mistakes]
report = {"passed": [], "failed": {}}


class Checks(Extension):
    """Goes through the checks, a turn of Krita's loop at a time."""

    def setup(self):
        self.left, self.now, self.timer = [c for c in CHECKS if os.environ.get('MSK_ONLY', '') in c.__name__ or c is CHECKS[0]], None, QTimer()
        self.timer.setInterval(20)
        self.timer.timeout.connect(self.turn)

    def createActions(self, window):
        QTimer.singleShot(2000, self.timer.start)

    def turn(self):
        try:
            if self.now is None:
                if not self.left:
                    self.end()
                    return
                self.now = self.left[0]()
                print("check:", self.left[0].__name__, file=sys.stderr, flush=True)
            next(self.now)
        except StopIteration:
            report["passed"].append(self.left.pop(0).__name__)
            self.now = None
        except Exception:
            report["failed"][self.left.pop(0).__name__] = traceback.format_exc()
            print(traceback.format_exc(), file=sys.stderr, flush=True)
            self.now = None
            for document in Krita.instance().documents():
                close(document)

    def end(self):
        self.timer.stop()
        with open(os.path.join(FOLDER, "report.json"), "w") as file:
            json.dump(report, file, indent=1)
        Krita.instance().action("file_quit").trigger()


Krita.instance().addExtension(Checks(Krita.instance()))

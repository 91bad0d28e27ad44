# SPDX-License-Identifier: Apache-2.0
"""The docker: class, faithfulness, seed, Draw, Live, Repaint the selection."""
import random
import uuid

from krita import DockWidget, Krita
from PyQt5.QtCore import QSettings, QTimer, Qt
from PyQt5.QtGui import QPixmap
from PyQt5.QtWidgets import (QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QLabel, QLineEdit,
                             QProgressBar, QPushButton, QSlider, QToolButton, QVBoxLayout, QWidget)

from . import canvas, client, pixels
from .program import Program
from .worker import Request, Worker

ADDRESS = "http://127.0.0.1:8188"
LIVE_PAUSE = 250  # ms between looks at the drawing
STARTING = 400  # ms between questions to a server that is starting
LAYER = "MaskSketch: "


class Docker(DockWidget):
    def __init__(self):
        super().__init__()
        self.setWindowTitle("MaskSketch")
        self.settings = QSettings("masksketch", "krita")
        self.worker, self.program = Worker(), Program()
        self.reader = self.writer = None
        self.drawing, self.drawn = None, None  # the layer that Live looks at; its last checksum
        self.live_client = uuid.uuid4().hex
        self.waited = 0
        self._build()
        self.timer = QTimer(self, interval=LIVE_PAUSE, singleShot=True)
        self.timer.timeout.connect(self._look)
        self.worker.connected.connect(self._connected)
        self.worker.no_server.connect(self._not_connected)
        self.worker.step.connect(self._stepped)
        self.worker.finished.connect(self._finished)
        self.worker.failed.connect(self._failed)
        self.worker.cancelled.connect(self._cancelled)
        QTimer.singleShot(0, self.connect_server)

    def canvasChanged(self, new_canvas):
        """Another document, or none: what Live looked at is not what is in front any more."""
        self.drawing = self.drawn = None

    # ---- what it looks like ----

    def _build(self):
        body = QWidget(self)
        self.setWidget(body)
        column = QVBoxLayout(body)
        form = QFormLayout()
        column.addLayout(form)
        self.class_box = QComboBox(editable=True, insertPolicy=QComboBox.NoInsert)
        self.class_box.setToolTip("What the drawing shows")
        self.class_box.completer().setFilterMode(Qt.MatchContains)
        form.addRow("Class", self.class_box)
        self.faithfulness = QSlider(Qt.Horizontal, minimum=0, maximum=100, value=90)
        self.faithfulness.setToolTip("How well the photo follows the drawing")
        form.addRow("Faithful", self.faithfulness)
        seed_row = QHBoxLayout()
        self.seed = QLineEdit("0")
        self.seed.setToolTip("The same seed makes the same picture")
        dice = QToolButton(text="new")
        dice.setToolTip("Another seed")
        dice.clicked.connect(self._roll)
        self.keep_seed = QCheckBox("keep", checked=False)
        self.keep_seed.setToolTip("Else each picture has the next seed")
        for part in (self.seed, dice, self.keep_seed):
            seed_row.addWidget(part)
        form.addRow("Seed", seed_row)
        buttons = QHBoxLayout()
        column.addLayout(buttons)
        self.draw_button = QPushButton("Draw")
        self.draw_button.setToolTip("The active layer becomes a photo, in a new layer above")
        self.draw_button.clicked.connect(self.draw)
        self.repaint_button = QPushButton("Repaint selection")
        self.repaint_button.setToolTip("The active layer is the photo; what is selected is "
                                       "painted anew, in a new layer above")
        self.repaint_button.clicked.connect(self.repaint_selection)
        self.live_button = QPushButton("Live", checkable=True)
        self.live_button.setToolTip("A picture here after each stroke on the active layer")
        self.live_button.toggled.connect(self.set_live)
        for part in (self.draw_button, self.repaint_button, self.live_button):
            buttons.addWidget(part)
        self.picture = QLabel(alignment=Qt.AlignCenter)
        self.picture.setMinimumSize(128, 128)
        column.addWidget(self.picture, 1)
        bar_row = QHBoxLayout()
        column.addLayout(bar_row)
        self.bar = QProgressBar(textVisible=False)
        self.cancel_button = QPushButton("Cancel", enabled=False)
        self.cancel_button.clicked.connect(self.cancel)
        bar_row.addWidget(self.bar, 1)
        bar_row.addWidget(self.cancel_button)
        self.message = QLabel(wordWrap=True)
        self.message.setTextFormat(Qt.PlainText)  # what a server says is no markup
        column.addWidget(self.message)
        self._build_server(column)

    def _build_server(self, column):
        form = QFormLayout()
        column.addLayout(form)
        self.address = QLineEdit(self.settings.value("address", ADDRESS))
        self.address.editingFinished.connect(self.connect_server)
        self.key = QLineEdit(self.settings.value("key", ""), echoMode=QLineEdit.Password)
        self.key.setPlaceholderText("none")
        self.key.editingFinished.connect(self.connect_server)
        self.start_button = QPushButton("Start the server", visible=False)
        self.start_button.clicked.connect(self.start_server)
        form.addRow("Server", self.address)
        form.addRow("Key", self.key)
        column.addWidget(self.start_button)

    def _say(self, text):
        self.message.setText(text)

    def _show(self, image):
        side = min(self.picture.width(), self.picture.height(), 2 * image.width())
        self.picture.setPixmap(QPixmap.fromImage(image).scaled(
            side, side, Qt.KeepAspectRatio, Qt.SmoothTransformation))

    def _enable(self):
        busy = self.worker.is_busy or self.reader is not None or self.writer is not None
        ready = self.class_box.count() > 0 and not busy
        self.draw_button.setEnabled(ready)
        self.repaint_button.setEnabled(ready)
        self.cancel_button.setEnabled(busy)
        if not busy:
            self.bar.reset()

    # ---- the server ----

    def _server(self):
        """The client.Server of the two fields, or None with a word."""
        try:
            return client.Server(self.address.text().strip() or ADDRESS, self.key.text().strip())
        except client.Problem as problem:
            self._say(str(problem))
            return None

    def connect_server(self):
        server = self._server()
        if server is not None:
            self.worker.find(server)

    def _connected(self, facts):
        self.settings.setValue("address", self.address.text())
        self.settings.setValue("key", self.key.text())
        self.waited = 0
        self.start_button.hide()
        before = self.class_box.currentText() or self.settings.value("class", "")
        if facts["classes"] != [self.class_box.itemText(i) for i in range(self.class_box.count())]:
            self.class_box.clear()
            self.class_box.addItems(facts["classes"])
        if before in facts["classes"]:
            self.class_box.setCurrentText(before)
        self._say(f"{facts['model']}: {len(facts['classes'])} classes. Draw on a layer of its own.")
        self._enable()

    def _not_connected(self, text):
        if self.waited > 0 and self.program.is_running:
            self.waited -= 1
            QTimer.singleShot(STARTING, self.connect_server)
            return
        self.class_box.clear()
        self._enable()
        server = self._server()
        can_start = server is not None and server.is_here and self.program.path() is not None
        self.start_button.setVisible(can_start and not self.program.is_running)
        remedy = "start it below" if can_start else "start one with: masksketch serve"
        self._say(f"{text}. If none runs, {remedy}.")

    def start_server(self):
        server = self._server()
        if server is None or self.program.is_running:
            return
        self.start_button.hide()
        self._say("The server is starting…")
        self.waited = 75  # half a minute: a large model on a slow disk
        self.program.start(server, self._server_ended)
        QTimer.singleShot(STARTING, self.connect_server)

    def _server_ended(self, text):
        self.waited = 0
        self._not_connected(text)

    # ---- asking ----

    def _roll(self):
        self.seed.setText(str(random.randrange(1 << 31)))

    def _fields(self):
        return {"class": self.class_box.currentText().strip(), "seed": self.seed.text().strip() or "0"}

    def _begin_reading(self, document, node, selection, done):
        self.reader = canvas.Reader(document, node, selection, done, self._stop_reading)
        self._enable()

    def _stop_reading(self, text):
        self.reader = None
        self.set_live(False)
        self._say(text)
        self._enable()

    def _front(self):
        """(document, layer) that the person looks at, or None with a word."""
        document = Krita.instance().activeDocument()
        node = document.activeNode() if document is not None else None
        if node is None:
            self._say("Open or make a document first, and draw on a layer of its own.")
            return None
        if node.name().startswith(LAYER):
            self._say("This layer is one of MaskSketch's pictures: choose the one with the drawing.")
            return None
        return document, node

    def _server_for_work(self):
        if self.worker.is_busy or self.reader is not None or self.writer is not None:
            return None
        return self._server()

    def draw(self):
        """The active layer, as a drawing."""
        self.live_button.setChecked(False)
        front, server = self._front(), self._server_for_work()
        if front is None or server is None:
            return
        document, node = front

        def ask(image, checksum):
            fields = dict(self._fields(), fit="pad", preview={"every_ms": 150})
            fields["lambda"] = self.faithfulness.value() / 100
            self._ask(server, "/v1/draw", fields, {"sketch": image}, document, node)

        self._begin_reading(document, node, None, ask)

    def repaint_selection(self):
        """The active layer, as a photo, where the selection is."""
        self.live_button.setChecked(False)
        front, server = self._front_of_photo(), self._server_for_work()
        if front is None or server is None:
            return
        document, node = front
        selection = document.selection()
        if selection is None:
            self._say("Select first what is to be painted anew.")
            return

        def read_photo(mask, checksum):
            def ask(image, checksum):
                self._ask(server, "/v1/edit", self._fields(), {"photo": image, "mask": mask},
                          document, node, mask)

            self._begin_reading(document, node, None, ask)

        self._begin_reading(document, None, selection, read_photo)

    def _front_of_photo(self):
        document = Krita.instance().activeDocument()
        node = document.activeNode() if document is not None else None
        if node is None:
            self._say("Open a photo first, and select what is to be painted anew.")
            return None
        return document, node

    def _ask(self, server, path, fields, pictures, document, node, mask=None):
        self.reader = None
        request = Request(server, path, fields, pictures, (document.width(), document.height()))
        request.name = f"{LAYER}{fields['class']}, seed {fields['seed']}"
        request.place = (document, node)
        request.mask = mask.convertToFormat(pixels.GREY) if mask is not None else None
        self.settings.setValue("class", fields["class"])
        self._say("")
        self.worker.begin(request)
        self._enable()

    def cancel(self):
        self.live_button.setChecked(False)
        if self.reader is not None:
            self.reader.stop()
            self.reader = None
            self._say("Cancelled.")
        self.worker.cancel()
        self._enable()

    # ---- answers ----

    def _stepped(self, step, steps, preview):
        self.bar.setMaximum(steps)
        self.bar.setValue(step)
        if preview is not None:
            self._show(preview)

    def _finished(self, request, picture, sheet):
        self._show(picture)
        if request.is_live:
            self._enable()
            self._look_again()
            return
        document, node = request.place

        def done():
            self.writer = None
            if not self.keep_seed.isChecked() and self.seed.text() == request.fields["seed"]:
                self.seed.setText(str((int(request.fields["seed"]) + 1) % (1 << 64)))
            self._say(f"“{request.name}” is a new layer.")
            self._enable()

        def failed(text):
            self.writer = None
            self._say(text)
            self._enable()

        if not canvas.is_open(document):
            failed("the document was closed: the picture is dropped")
            return
        self.writer = canvas.Writer(document, node, request.name, sheet, done, failed)

    def _failed(self, request, text):
        self.live_button.setChecked(False)
        self._say(text)
        self._enable()

    def _cancelled(self, request, text):
        self._enable()
        if request.is_live and self.live_button.isChecked():
            self._look_again()
        elif not request.is_live:
            self._say("Cancelled." if text == "cancelled" else text)

    # ---- live ----

    def set_live(self, on):
        """One request in flight; switched off, it is cancelled and nothing is asked any more."""
        if self.live_button.isChecked() != on:
            self.live_button.setChecked(on)  # comes back here
            return
        if on:
            front = self._front() if self._server_for_work() is not None else None
            if front is None:
                self.live_button.setChecked(False)
                return
            self.drawing, self.drawn = front, None
            self._say("Draw: the picture follows.")
            self._look()
            return
        self.timer.stop()
        if self.reader is not None:
            self.reader.stop()
            self.reader = None
        if self.worker.is_busy and self.worker.request.is_live:
            self.worker.cancel()
        self._enable()

    def _look_again(self):
        if self.live_button.isChecked():
            self.timer.start()

    def _look(self):
        """Reads the drawing; asks for a picture only if it or a setting has changed."""
        if not self.live_button.isChecked() or self.reader is not None or self.worker.is_busy:
            return
        if self.drawing is None:
            self.drawing = self._front()
            if self.drawing is None:
                self.live_button.setChecked(False)
                return
        document, node = self.drawing
        self.reader = canvas.Reader(document, node, None, self._looked, self._stop_reading)

    def _looked(self, image, checksum):
        self.reader = None
        server = self._server()
        fields = dict(self._fields(), fit="pad", live=True, client=self.live_client,
                      recipe="fast", preview={"every_ms": 100})
        fields["lambda"] = self.faithfulness.value() / 100
        state = (checksum, str(fields))
        if server is None or state == self.drawn:
            self._look_again()
            return
        self.drawn = state
        document, _ = self.drawing
        size = (document.width(), document.height())
        self.worker.begin(Request(server, "/v1/draw", fields, {"sketch": image}, size, True))
        self._enable()

# SPDX-License-Identifier: Apache-2.0
"""Talks with the server in threads of its own, one request in flight, and tells the docker by
Qt's signals, which arrive in the interface's thread."""
import base64
import threading

from PyQt5.QtCore import QObject, pyqtSignal

from . import client, pixels


class Request:
    """What is to be made: everything the worker needs, nothing of Krita."""

    def __init__(self, server, path, fields, pictures, size, is_live=False):
        self.server, self.path, self.fields, self.is_live = server, path, fields, is_live
        self.pictures = pictures  # member name: QImage
        self.size = size  # (width, height) of the canvas that the result is laid on
        self.mask = None  # QImage, grey: only there
        self.name = ""  # of the layer
        self.place = None  # whatever the docker wants to find again

    def body(self):
        body = dict(self.fields)
        for member, image in self.pictures.items():
            body[member] = base64.b64encode(pixels.to_png(image)).decode("ascii")
        return body


class Worker(QObject):
    """connected(dict), no_server(text): what find() learnt. step(step, steps, QImage or None),
    finished(Request, QImage as made, Sheet for the canvas or None), failed(Request,
    text), cancelled(Request, text)."""
    connected = pyqtSignal(object)
    no_server = pyqtSignal(str)
    step = pyqtSignal(int, int, object)
    finished = pyqtSignal(object, object, object)
    failed = pyqtSignal(object, str)
    cancelled = pyqtSignal(object, str)

    def __init__(self):
        super().__init__()
        self.request, self.stop, self.job = None, threading.Event(), None

    @property
    def is_busy(self):
        return self.request is not None

    def find(self, server):
        """Asks an address for its model and classes."""
        threading.Thread(target=self._find, args=(server,), daemon=True).start()

    def begin(self, request):
        """Must not be busy."""
        self.request, self.stop, self.job = request, threading.Event(), None
        threading.Thread(target=self._run, args=(request, self.stop), daemon=True).start()

    def cancel(self):
        """Ends the request within a moment: the server is told by a connection of its own."""
        if not self.is_busy or self.stop.is_set():
            return
        self.stop.set()
        if self.job is not None:
            threading.Thread(target=self.request.server.cancel, args=(self.job,),
                             daemon=True).start()

    def _find(self, server):
        try:
            self.connected.emit(server.facts())
        except client.Problem as problem:
            self.no_server.emit(str(problem))
        except Exception as error:  # a thread that dies in silence would leave the docker waiting
            self.no_server.emit(f"this is not a MaskSketch server ({error})")

    def _run(self, request, stop):
        try:
            picture, canvas = self._make(request, stop)
        except client.Cancelled as problem:
            self._end(self.cancelled, request, str(problem))
        except client.Problem as problem:
            self._end(self.failed, request, str(problem))
        except Exception as error:
            self._end(self.failed, request, f"the server's answer is not understood ({error})")
        else:
            self._end(self.finished, request, picture, canvas)

    def _make(self, request, stop):
        def on_step(step, steps, preview):
            self.step.emit(step, steps, pixels.from_file(preview) if preview else None)

        def on_begin(job):
            self.job = job

        data, _ = request.server.run(request.path, request.body(), stop, on_step, on_begin)
        if stop.is_set():
            raise client.Cancelled("cancelled")
        picture = pixels.from_file(data)
        if picture is None:
            raise client.Problem("the server's picture cannot be read")
        if request.is_live:
            return picture, None
        return picture, pixels.Sheet(picture, *request.size, request.mask)

    def _end(self, signal, *values):
        self.request = None
        signal.emit(*values)

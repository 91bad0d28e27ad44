# SPDX-License-Identifier: Apache-2.0
"""Starts `masksketch serve` where it is installed, and ends it with Krita."""
import shutil

from PyQt5.QtCore import QCoreApplication, QProcess


class Program:
    def __init__(self):
        self.process = None

    @staticmethod
    def path():
        """Where the program is, or None."""
        return shutil.which("masksketch")

    @property
    def is_running(self):
        return self.process is not None and self.process.state() != QProcess.NotRunning

    def start(self, server, ended):
        """ended(text) is called if it ends by itself."""
        self.process = QProcess()
        self.process.setProcessChannelMode(QProcess.MergedChannels)
        self.process.finished.connect(lambda *_: ended(self._last_words()))
        QCoreApplication.instance().aboutToQuit.connect(self.stop)
        arguments = ["serve", "--quiet", "--port", str(server.port)]
        if "Authorization" in server.headers:  # by the environment: others can read arguments
            environment = self.process.processEnvironment()
            if environment.isEmpty():
                environment = environment.systemEnvironment()
            environment.insert("MASKSKETCH_API_KEY", server.headers["Authorization"][7:])
            self.process.setProcessEnvironment(environment)
        self.process.start(self.path(), arguments)

    def _last_words(self):
        lines = bytes(self.process.readAll()).decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else "masksketch serve ended"

    def stop(self):
        if self.is_running:
            self.process.finished.disconnect()
            self.process.terminate()
            self.process.waitForFinished(3000)

# SPDX-License-Identifier: Apache-2.0
"""The HTTP interface of `masksketch serve`, as far as the docker needs it: standard library
alone, nothing of Krita or Qt. Every call blocks and belongs into a thread of its own; errors are
Problem, whose text is for people."""
import base64
import http.client
import json
import socket
import urllib.parse

TIMEOUT = 20  # seconds without a byte: the server sends a comment every 10 while it works
MOST = 64 << 20  # bytes of an answer


class Problem(Exception):
    """What went wrong, in a line."""


class Unreachable(Problem):
    """Nobody answers at the address."""


class Cancelled(Problem):
    """It was asked to stop."""


class Server:
    """An address like http://127.0.0.1:8188 and, where one is asked for, a key."""

    def __init__(self, address, key=""):
        parts = urllib.parse.urlsplit(address if "//" in address else "http://" + address)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            raise Problem(f"“{address}” is no address; one looks like http://127.0.0.1:8188")
        secure = parts.scheme == "https"
        self.kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self.host, self.port = parts.hostname, port or (443 if secure else 80)
        self.prefix = parts.path.rstrip("/")
        self.headers = {"Authorization": "Bearer " + key} if key else {}

    @property
    def is_here(self):
        """Whether it is this machine."""
        return self.host in ("localhost", "127.0.0.1", "::1")

    def open(self, method, path, body=None):
        """The connection and its response; errors of the server become Problem."""
        connection = self.kind(self.host, self.port, timeout=TIMEOUT)
        headers = dict(self.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        try:
            connection.request(method, self.prefix + path, body, headers)
            response = connection.getresponse()
        except socket.timeout:
            connection.close()
            raise Problem("the server does not answer in time") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(f"no server at {self.host}:{self.port} ({error})") from None
        except (UnicodeError, ValueError):
            connection.close()
            raise Problem("the key or the address has letters that no header can carry") from None
        if response.status >= 400:
            text = response.read(1 << 16)
            connection.close()
            raise Problem(_detail(response.status, text))
        return connection, response

    def ask(self, method, path, body=None):
        """The bytes of the answer."""
        connection, response = self.open(method, path, body)
        try:
            data = response.read(MOST + 1)
        except (OSError, http.client.HTTPException):
            raise Problem("the server broke off") from None
        finally:
            connection.close()
        if len(data) > MOST:
            raise Problem("the server's answer is too large")
        return data

    def json(self, method, path, body=None):
        return _parse(self.ask(method, path, body))

    def facts(self):
        """What the docker shows before anything is drawn: classes and the model's name."""
        model = self.json("GET", "/v1/models")
        classes = self.json("GET", "/v1/classes?limit=1000")
        try:
            return {"model": str(model["data"][0]["id"]),
                    "classes": [str(row["name"]) for row in classes["classes"]]}
        except (KeyError, IndexError, TypeError):
            raise Problem("this is not a MaskSketch server") from None

    def run(self, path, body, stop, on_step=None, on_begin=None):
        """Has a job made and follows it. Returns (PNG bytes, the job object). `stop` is a
        threading.Event: when it is set the job is cancelled and Cancelled raised, within the time
        of one event. on_begin(id) once, on_step(step, steps, preview JPEG bytes or None)."""
        job = self.json("POST", path, body)
        try:
            job_id = str(job["id"])
            if on_begin is not None:
                on_begin(job_id)
            job = self._follow(job_id, stop, on_step)
        except Cancelled:
            self.cancel(job_id)
            raise
        except (KeyError, TypeError):
            raise Problem("the server's answer is not understood") from None
        return self.ask("GET", f"/v1/jobs/{job_id}/images/0"), job

    def cancel(self, job_id):
        try:
            self.ask("DELETE", f"/v1/jobs/{job_id}")
        except Problem:
            pass  # it has ended by itself, or the server has

    def _follow(self, job_id, stop, on_step):
        connection, response = self.open("GET", f"/v1/jobs/{job_id}/events")
        try:
            for name, data in _events(response, stop):
                if name == "step" and on_step is not None:
                    preview = data.get("preview")
                    picture = base64.b64decode(preview["url"].split(",", 1)[1]) if preview else None
                    on_step(int(data["step"]), int(data["steps"]), picture)
                elif name == "done":
                    return data
                elif name == "failed":
                    raise Problem(str((data.get("error") or {}).get("detail", "it failed")))
                elif name == "cancelled":
                    raise Cancelled(_reason(data.get("reason")))
        finally:
            connection.close()
        raise Problem("the server went away while it drew")


def _reason(reason):
    return {"shutdown": "the server was stopped", "replaced": "a newer drawing took its place"}.get(
        reason, "cancelled")


def _detail(status, text):
    if status == 401:
        return "the server asks for a key (or for another one)"
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answers {status}; is it a MaskSketch server?"


def _parse(data):
    try:
        return json.loads(data)
    except ValueError:
        raise Problem("the server's answer is no JSON; is it a MaskSketch server?") from None


def _events(response, stop):
    """(name, data) of each server-sent event. A comment line, which comes every ten seconds, is
    enough to notice `stop`."""
    name = ""
    while True:
        if stop.is_set():
            raise Cancelled("cancelled")
        try:
            line = response.readline(MOST)
        except socket.timeout:
            raise Problem("the server does not answer any more") from None
        except (OSError, http.client.HTTPException):
            raise Problem("the server went away while it drew") from None
        if not line:
            return
        line = line.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            yield name, _parse(line[5:])

# SPDX-License-Identifier: Apache-2.0
"""An https server on this machine that misbehaves as it is told: the path's first part says how.
Usage: server.py CERTIFICATE KEY FOLDER LOG. Prints its port."""

import http.server
import re
import socket
import ssl
import sys
import time
from pathlib import Path

CERTIFICATE, KEY, FOLDER, LOG = sys.argv[1:5]
PIECE = 1 << 14
asked = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, length=None, kind="application/octet-stream", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def cut(self):
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def do_GET(self):
        how, name = self.path[1:].split("/")
        body = (Path(FOLDER) / name).read_bytes()
        given = self.headers.get("Range")
        with open(LOG, "a", encoding="ascii") as log:
            log.write(f"{self.path} {given or '-'} {self.headers.get('If-Range') or '-'}\n")
        number = asked[self.path] = asked.get(self.path, 0) + 1
        start = int(re.fullmatch(r"bytes=(\d+)-", given)[1]) if given else 0
        tag = {} if how == "tagless" else {"ETag": f'"{name}"'}
        rest, ranged = body[start:], f"bytes {start}-{len(body) - 1}/{len(body)}"
        if how == "html":
            self.answer(200, b"<html>sign in</html>", kind="text/html; charset=utf-8")
        elif how == "redirect":
            self.answer(302, b"", Location="https://example.org/" + name)
        elif how == "plain":
            self.answer(302, b"", Location=f"http://127.0.0.1:1/{name}")
        elif how == "long":
            self.answer(200, body + b"and more")
        elif how == "unannounced":  # more than expected, and no length beforehand
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body + b"and more")
            self.close_connection = True
        elif how == "short":
            self.answer(200, body[:-7])
        elif how == "wrong":
            self.answer(200, body[:-1] + bytes([body[-1] ^ 1]))
        elif how == "gone":
            self.answer(404, b"no")
        elif how == "busy" and number <= 2:
            self.answer(503, b"later")
        elif how == "silent" or how == "pausing" and number == 1:
            self.answer(200, body[:PIECE], length=len(body), **tag)
            self.wfile.flush()
            time.sleep(4)
            self.cut()
        elif how == "whole":  # knows no ranges, and cuts the first time
            self.answer(200, body if number > 1 else body[: len(body) // 2], length=len(body), **tag)
            if number == 1:
                self.cut()
        elif how == "misplaced" and given:
            self.answer(206, rest, Content_Range=f"bytes {start + 1}-{len(body) - 1}/{len(body)}", **tag)
        elif how == "beyond" and given and number <= 2:
            self.answer(416, b"", Content_Range=f"bytes */{len(body)}")
        elif how in ("cutting", "misplaced", "beyond", "tagless"):  # a third of what is left, then the line is cut
            whole = number >= 4
            piece = rest if whole else rest[: max(1, len(rest) // 3)]
            headers = dict(tag, Content_Range=ranged) if given else tag
            self.answer(206 if given else 200, piece, length=len(rest), **headers)
            if not whole:
                self.cut()
        elif how == "slow":
            self.answer(206 if given else 200, b"", length=len(rest), **(dict(tag, Content_Range=ranged) if given else tag))
            for at in range(0, len(rest), PIECE):
                self.wfile.write(rest[at : at + PIECE])
                time.sleep(0.05)
        else:
            self.answer(206 if given else 200, rest, **(dict(tag, Content_Range=ranged) if given else tag))


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.handle_error = lambda *_: None
print(server.server_address[1], flush=True)
server.serve_forever()

"""The page on which a rater labels, served to this machine alone by the standard library.

Addresses begin with a random token, and requests that name another host are refused, so that no web page that is open
in the same browser can read or answer. Nothing is loaded from elsewhere. A program can label by the same addresses:

    GET  /TOKEN/                 the page
    GET  /TOKEN/next             {"done", "num", "image", "questions": [{"attribute", "yes", "no"}]}
    GET  /TOKEN/image/HASH.png   an image of the sample
    POST /TOKEN/answers          {"image": HASH, "answers": {attribute: "yes", "no" or "undecided"}} -> as next
    POST /TOKEN/back             {} -> as next, with the last image open again
    POST /TOKEN/finish           {} -> the server stops
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

from styleT2I.errors import OutputError, StyleT2IError
from styleT2I.fairness.labels.session import LabelSession

__all__ = ["LabelServer"]

_HOST = "127.0.0.1"
_MOST_BYTES = 65_536  # of a request
_SECONDS = 30  # that a connection may stay silent


class LabelServer(ThreadingHTTPServer):
    """Serves one rater's session.

    Args:
        session: The rater's.
        port: On 127.0.0.1; 0: any free one.

    Raises:
        OutputError: The port is taken.
    """

    daemon_threads = True

    def __init__(self, session: LabelSession, port: int = 0):
        self.session, self.token, self.lock = session, secrets.token_urlsafe(16), threading.Lock()
        self.page = files(__package__).joinpath("label.html").read_text(encoding="utf-8")
        try:
            super().__init__((_HOST, port), _Handler)
        except OSError as error:
            raise OutputError(f"port {port} cannot be used: {error.strerror}; name another one, or 0") from error

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://{_HOST}:{self.server_port}/{self.token}/"

    @property
    def policy(self) -> str:
        """What the page may load: itself, its own script and style, by their hashes."""
        sources = {
            name: base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
            for name, text in re.findall(r"<(script|style)>(.*?)</\1>", self.page, re.DOTALL)
        }
        return (
            f"default-src 'none'; img-src 'self' data:; connect-src 'self'; script-src 'sha256-{sources['script']}'; "
            f"style-src 'sha256-{sources['style']}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer
    timeout = _SECONDS

    def do_GET(self):
        if (place := self._place()) is None:
            return
        if place == "":
            self._send(200, "text/html; charset=utf-8", self.server.page.encode("utf-8"))
        elif place == "next":
            with self.server.lock:
                self._send_json(self.server.session.current())
        elif (match := re.fullmatch(r"image/([0-9a-f]+)\.png", place)) and (
            path := self.server.session.path_of(match[1])
        ):
            self._send(200, "image/png", path.read_bytes())
        else:
            self._refuse(404, "no such page")

    def do_POST(self):
        if (place := self._place()) is None:
            return
        try:
            size = int(self.headers.get("Content-Length", ""))
            if not 0 <= size <= _MOST_BYTES or self.headers.get_content_type() != "application/json":
                raise ValueError
            content = json.loads(self.rfile.read(size))
            given = {str(key): str(value) for key, value in dict(content.get("answers", {})).items()}
            image = str(content.get("image", ""))
        except (ValueError, TypeError, AttributeError, RecursionError):
            self._refuse(400, "not a request in JSON")
            return
        self._answer(place, image, given)

    def _answer(self, place, image, given):
        session = self.server.session
        try:
            with self.server.lock:
                if place == "answers":
                    session.answer(image, given)
                elif place == "back":
                    session.take_back()
                elif place != "finish":
                    self._refuse(404, "no such page")
                    return
                self._send_json(session.current())
        except StyleT2IError as error:
            self._refuse(400, str(error))
            return
        if place == "finish":
            threading.Thread(target=self.server.shutdown, daemon=True).start()

    def _place(self) -> str | None:
        """The address after the token; None where the request was refused."""
        hosts = {f"{name}:{self.server.server_port}" for name in (_HOST, "localhost")}
        prefix = f"/{self.server.token}/"
        if self.headers.get("Host") not in hosts or not self.path.startswith(prefix):
            self._refuse(403, "open the address that `audit label` printed")
            return None
        return self.path.removeprefix(prefix)

    def _send_json(self, content):
        self._send(200, "application/json", json.dumps(content).encode("utf-8"))

    def _refuse(self, status, text):
        self._send(status, "application/json", json.dumps({"error": text}).encode("utf-8"))

    def _send(self, status, kind, data):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", self.server.policy)
        for name, value in (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
                            ("Referrer-Policy", "no-referrer"), ("Connection", "close")):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format, *args):
        """Say nothing: the terminal is for the address."""

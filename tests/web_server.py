"""A web server on this machine that misbehaves as told; nothing here touches the internet."""

import contextlib
import http.server
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Answer:
    """What a path answers with; `faults` are taken in turn, one a request, and then the server behaves.

    Faults: "cut" (half the bytes, then the connection closes), "stall" (half the bytes, then silence), "reset" (no
    answer), "ignore-range" (200 and everything), "wrong-range" (206 that begins elsewhere), "long" (Content-Length
    twice as long as the body), an int (that status) or a callable, run before the request is answered properly.
    """

    body: bytes = b""
    etag: str | None = '"1"'
    content_type: str = "application/octet-stream"
    redirect: str | None = None
    has_length: bool = True
    headers: dict = field(default_factory=dict)
    faults: list = field(default_factory=list)
    delay: float = 0.0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        server = self.server
        with server.guard:
            server.requests.append((self.path, self.headers.get("Range")))
            answer = server.answers.get(self.path, server.answers.get(self.path.partition("?")[0]))
            fault = answer.faults.pop(0) if answer and answer.faults else None
        if callable(fault):
            fault(answer)
            fault = None
        if answer is None:
            return self._send(404, b"<!DOCTYPE html><p>not here", {"Content-Type": "text/html", **server.missing})
        if answer.delay:
            time.sleep(answer.delay)
        if fault == "reset":
            return self.connection.close()
        if isinstance(fault, int):
            return self._send(fault, b"<html>trouble</html>", {"Content-Type": "text/html", **answer.headers})
        if answer.redirect:
            return self._send(302, b"", {"Location": answer.redirect})
        self._serve(answer, fault)

    def _serve(self, answer, fault):
        headers = {"Content-Type": answer.content_type, **answer.headers}
        if answer.etag:
            headers["ETag"] = answer.etag
        status, body = 200, answer.body
        wanted = self.headers.get("Range")
        if wanted and fault != "ignore-range" and self.headers.get("If-Range") == answer.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                return self._send(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            start += 1 if fault == "wrong-range" else 0
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            status, body = 206, body[start:]
        length = len(body) * (2 if fault == "long" else 1)
        sent = body[: len(body) // 2] if fault in ("cut", "stall") else body
        if answer.has_length:
            headers["Content-Length"] = str(length)
        self._send(status, sent, headers, is_open=fault == "stall")

    def _send(self, status, body, headers, is_open=False):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers and status != 200:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(b"" if self.command == "HEAD" else body)
            self.wfile.flush()
        if is_open:
            self.server.silence.wait(5)
        self.close_connection = True

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def web_server(answers):
    """Serve {"/path": Answer} on a free port of localhost; yields the server: `.url`, `.requests` [(path, Range)]."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answers, server.requests, server.guard = answers, [], threading.Lock()
    server.silence, server.missing = threading.Event(), {}
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.silence.set()
        server.shutdown()
        server.server_close()
        thread.join()

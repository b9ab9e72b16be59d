"""A line to payments that fails on demand: a proxy that loses, delays or breaks answers."""

import contextlib
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError

PASSED = {"authorization", "content-type", "idempotency-key", "traceparent"}


class UnsteadyLine:
    """`mode`: "pass", "break" (500, nothing forwarded), "hang" (nothing forwarded, no answer) or
    "lose" (forwarded, no answer).
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.mode = "pass"
        self.calls = 0
        self.released = threading.Event()
        line = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                self.answer(body)

            def do_GET(self) -> None:
                self.answer(None)

            def answer(self, body: bytes | None) -> None:
                line.calls += 1
                status, content = 500, b"{}"
                if line.mode in {"pass", "lose"}:
                    status, content = line.forward(self.command, self.path, self.headers, body)
                if line.mode in {"hang", "lose"}:
                    line.released.wait(30)
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("content-type", "application/problem+json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def forward(
        self, method: str, path: str, headers: Any, body: bytes | None
    ) -> tuple[int, bytes]:
        passed = {name: value for name, value in headers.items() if name.lower() in PASSED}
        request = urllib.request.Request(
            self.target + path, data=body, headers=passed, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.read()
        except HTTPError as refused:
            with refused:
                return refused.code, refused.read()


@contextlib.contextmanager
def unsteady_line(target: str) -> Iterator[UnsteadyLine]:
    line = UnsteadyLine(target)
    thread = threading.Thread(target=line.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield line
    finally:
        line.released.set()
        line.server.shutdown()
        line.server.server_close()
        thread.join(5)

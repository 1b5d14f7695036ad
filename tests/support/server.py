"""A real HTTP server on loopback that speaks chat completions, and every fault that one can have."""

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes

    @property
    def user(self) -> str:
        return str(next(message["content"] for message in self.body["messages"] if message["role"] == "user"))

    @property
    def system(self) -> str:
        return self.body["messages"][0]["content"]

    @property
    def receipt(self) -> str:
        before = re.search(r"^receipt-a: (\w+)$", self.user, re.MULTILINE)
        after = re.search(r"^receipt-b: (\w+)$", self.user, re.MULTILINE)
        assert before is not None, self.user
        assert after is not None, self.user
        return f"{before[1]}-{after[1]}"


@dataclass
class Answer:
    """One HTTP answer; `send` takes over the connection where plain bytes are not enough."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    send: Callable[[BaseHTTPRequestHandler], None] | None = None


Script = Callable[[Request], Answer]


def completion(content: Any, *, finish: Any = "stop", model: str = "gpt-5.5", **message: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": model,
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
        ],
        "usage": {
            "prompt_tokens": 1200,
            "completion_tokens": 40,
            "total_tokens": 1240,
            "prompt_tokens_details": {"cached_tokens": 1000},
        },
    }


def answer(data: Any, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(data).encode(), {"Content-Type": "application/json", **named})


def finding(**values: Any) -> dict[str, Any]:
    return {
        "title": "the division fails for an empty list",
        "category": "correctness",
        "severity": "critical",
        "certainty": "proven",
        "file": "app.py",
        "side": "new",
        "line_start": 2,
        "line_end": 2,
        "quote": "return total / count",
        "trigger": "an empty list",
        "consequence": "ZeroDivisionError",
        "fix": "return 0 for an empty list",
        **values,
    }


def reply(verdict: str, request: Request, **values: Any) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "summary": "A summary.",
        "findings": [],
        "verification_commands": ["python -m pytest"],
        "questions": ["Is it meant?"],
        "receipt": request.receipt,
        **values,
    }


def says(verdict: str, *, model: str = "gpt-5.5", **values: Any) -> Script:
    """A reviewer that gives this verdict, with the right receipt."""
    return lambda request: answer(completion(json.dumps(reply(verdict, request, **values)), model=model))


def approves(**values: Any) -> Script:
    return says("approve", **values)


def blocks(**values: Any) -> Script:
    return says("block", **{"findings": [finding()], **values})


class Server:
    """Answers by the scripts that were queued, the last of them again and again."""

    def __init__(self, *scripts: Script, certificate: ssl.SSLContext | None = None) -> None:
        self.scripts = list(scripts) or [approves()]
        self.requests: list[Request] = []
        self.connections = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                try:
                    body = json.loads(raw)
                except ValueError:
                    body = {}
                request = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body, raw)
                outer.requests.append(request)
                script = outer.scripts.pop(0) if len(outer.scripts) > 1 else outer.scripts[0]
                outer._send(self, script(request))

            def log_message(self, *values: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, address: object) -> None:
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)
        if certificate is not None:
            self._server.socket = certificate.wrap_socket(self._server.socket, server_side=True)
        self.scheme = "https" if certificate else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @staticmethod
    def _send(handler: BaseHTTPRequestHandler, found: Answer) -> None:
        if found.send is not None:
            handler.close_connection = True
            found.send(handler)
            return
        handler.send_response(found.status)
        for name, value in found.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(found.body)))
        handler.end_headers()
        handler.wfile.write(found.body)

    @property
    def origin(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.origin}/v1"

    @property
    def bytes_received(self) -> int:
        return sum(len(request.raw) for request in self.requests)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


@contextmanager
def serving(*scripts: Script) -> Iterator[Server]:
    server = Server(*scripts)
    try:
        yield server
    finally:
        server.close()


def free_port() -> int:
    """A port at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def drip(handler: BaseHTTPRequestHandler, piece: bytes = b" ", pause: float = 0.1, seconds: float = 30.0) -> None:
    """A body that never ends, a byte at a time."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        handler.wfile.write(piece)
        handler.wfile.flush()
        time.sleep(pause)

"""A real HTTP server on loopback that speaks chat completions and Responses, and every fault that one can have."""

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw: bytes
    method: str = "POST"

    @property
    def api(self) -> str:
        return "responses" if self.path.endswith("/responses") else "chat"

    @property
    def form(self) -> str:
        """How it asks the endpoint to shape the reply."""
        wanted = (
            self.body.get("text", {}).get("format") if self.api == "responses" else self.body.get("response_format")
        )
        return str((wanted or {"type": "text"})["type"])

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The messages, without the system's."""
        turns: list[dict[str, Any]] = self.body["input"] if self.api == "responses" else self.body["messages"][1:]
        return turns

    @property
    def user(self) -> str:
        return str(next(turn["content"] for turn in self.turns if turn["role"] == "user"))

    @property
    def system(self) -> str:
        return str(self.body["instructions"] if self.api == "responses" else self.body["messages"][0]["content"])

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
    send: "Sender | None" = None


Script = Callable[[Request], Answer]
Sender = Callable[[BaseHTTPRequestHandler], None]


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


def message(*contents: Any, **values: Any) -> dict[str, Any]:
    """A message in the output of the Responses API: texts, or parts as they are."""
    parts = [
        {"type": "output_text", "text": item, "annotations": []} if isinstance(item, str) else item
        for item in contents
    ]
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": parts, **values}


def response(*output: Any, **values: Any) -> dict[str, Any]:
    """A whole object of the Responses API; a text stands for a message that says it."""
    return {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "gpt-5.5",
        "output": [message(item) if isinstance(item, str) else item for item in output],
        "usage": {
            "input_tokens": 1200,
            "input_tokens_details": {"cached_tokens": 1000},
            "output_tokens": 40,
            "output_tokens_details": {"reasoning_tokens": 16},
            "total_tokens": 1240,
        },
        **values,
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
    """A reviewer that gives this verdict, with the right receipt, over the API over which it is asked."""

    def script(request: Request) -> Answer:
        text = json.dumps(reply(verdict, request, **values))
        return answer(response(text, model=model) if request.api == "responses" else completion(text, model=model))

    return script


def approves(**values: Any) -> Script:
    return says("approve", **values)


def blocks(**values: Any) -> Script:
    return says("block", **{"findings": [finding()], **values})


def fixed(found: Answer) -> Script:
    """The same answer, whatever is asked."""
    return lambda request: found


def in_turn(*scripts: Script) -> Script:
    """One after the other, the last again and again: for what gets only some of a server's requests."""
    left = list(scripts)

    def script(request: Request) -> Answer:
        return (left.pop(0) if len(left) > 1 else left[0])(request)

    return script


def page(body: bytes | str, status: int = 200, **headers: str) -> Script:
    """Plain bytes, under a content type that promises JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body.encode() if isinstance(body, str) else body
    return fixed(Answer(status, content, {"Content-Type": "application/json", **named}))


def data(value: Any, status: int = 200, **headers: str) -> Script:
    """Any JSON."""
    return fixed(answer(value, status, **headers))


def fails(status: int, message: str = "it went wrong", **headers: str) -> Script:
    """An error in the shape that the official API gives it."""
    return data({"error": {"message": message, "type": "some_error", "code": None}}, status, **headers)


def says_content(content: Any, **values: Any) -> Script:
    """A reply that is complete in its envelope, with this content."""
    return data(completion(content, **values))


def lists(*names: str) -> Script:
    """The list of an endpoint's models."""
    return data({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


def sends(sender: Sender) -> Script:
    """Plain bytes on the connection, and only those."""
    return fixed(Answer(send=sender))


class Server:
    """Answers by the scripts that were queued, the last of them again and again.

    Attributes:
        models: answers each GET, as that for the list of models.
    """

    def __init__(self, *scripts: Script, certificate: ssl.SSLContext | None = None) -> None:
        self.scripts = list(scripts) or [approves()]
        self.models: Script = lists("gpt-5.5", "claude-opus-4-8")
        self.requests: list[Request] = []
        self.connections = 0
        self.mistakes: list[Exception] = []
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
                self._play(script, request)

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.requests.append(Request(self.path, headers, {}, b"", "GET"))
                self._play(outer.models, outer.requests[-1])

            def _play(self, script: Script, request: Request) -> None:
                try:
                    found = script(request)
                except Exception as error:  # a script's own mistake must not look like a fault that it plays
                    outer.mistakes.append(error)
                    raise
                outer._send(self, found)

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
        assert not self.mistakes, self.mistakes


@contextmanager
def serving(*scripts: Script, certificate: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(*scripts, certificate=certificate)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def listening_once() -> Iterator[str]:
    """The base URL of a server that is gone after the first connection: it is found, and can't be asked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)

        def vanish() -> None:
            with suppress(OSError):
                listener.accept()[0].close()
            listener.close()

        thread = threading.Thread(target=vanish, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    thread.join(timeout=5)


def free_port() -> int:
    """A port at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# --- what a connection can do other than carry one whole answer --------------------------------------------


def _begin(handler: BaseHTTPRequestHandler, status: int, length: int, **headers: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(length))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()


def drip(handler: BaseHTTPRequestHandler, piece: bytes = b" ", pause: float = 0.1, seconds: float = 30.0) -> None:
    """A body that never ends, a byte at a time."""
    _begin(handler, 200, 1_000_000)
    _drip(handler, piece, pause, seconds)


def drip_headers(handler: BaseHTTPRequestHandler, pause: float = 0.1, seconds: float = 30.0) -> None:
    """Headers that never end, a byte at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(handler, b"a", pause, seconds)


def _drip(handler: BaseHTTPRequestHandler, piece: bytes, pause: float, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        handler.wfile.write(piece)
        handler.wfile.flush()
        time.sleep(pause)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut_short(body: bytes) -> Sender:
    """A body that ends a hundred bytes before the length that was announced."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        _begin(handler, 200, len(body) + 100)
        handler.wfile.write(body)

    return send


def flood(status: int, size: int = 50_000_000, piece: bytes = b" " * 65_536) -> Sender:
    """A body far larger than any review."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        _begin(handler, status, size)
        left = size
        while left > 0:
            handler.wfile.write(piece[:left])
            left -= len(piece)

    return send


def chunked(body: bytes, size: int = 100) -> Sender:
    """A body in chunks, without a length."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, len(body), size):
            part = body[start : start + size]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        handler.wfile.write(b"0\r\n\r\n")

    return send


class Hang:
    """Takes a request and gives no answer until it is let go."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.release = threading.Event()

    def __call__(self, request: Request) -> Answer:
        self.asked.set()
        self.release.wait(timeout=60)
        return answer({"error": {"message": "too late"}}, 500)

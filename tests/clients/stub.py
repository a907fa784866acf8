"""A server that answers as the far ends of several client libraries do; in the project under test.

``URL`` is where it listens. It says what the clients insist on, and nothing of substance.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHAT = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    ],
}
MESSAGE = {
    "id": "1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
ANSWERS: list[tuple[str, Any]] = [
    ("/chat/completions", CHAT),
    ("/messages", MESSAGE),
    ("/_search", {"hits": {"hits": []}}),
    ("/customers", {"id": "c", "object": "customer"}),
    ("/containers/json", []),
    ("/chat.postMessage", {"ok": True}),
    ("/Messages.json", {"sid": "SM1", "status": "queued"}),
    ("/rest/v1/", []),
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = next((answer for part, answer in ANSWERS if part in self.path), {"ok": True})
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""


for method in ("GET", "POST", "PUT", "HEAD", "PATCH", "DELETE"):
    setattr(Handler, f"do_{method}", Handler.answer)


class Lines(socketserver.StreamRequestHandler):
    """Says ``greeting``, and to each line what the protocol's clients want to hear."""

    greeting = b""

    def handle(self) -> None:
        self.wfile.write(self.greeting)
        for line in self.rfile:
            self.reply(line)

    def reply(self, line: bytes) -> None:
        self.wfile.write(line)


class Mail(Lines):
    greeting = b"220 stub\r\n"

    def reply(self, line: bytes) -> None:
        if line[:4].upper() == b"DATA":
            self.wfile.write(b"354 go on\r\n")
            for text in self.rfile:
                if text == b".\r\n":
                    break
        if line[:4].upper() == b"EHLO":
            self.wfile.write(b"250-stub\r\n250-AUTH PLAIN\r\n250-STARTTLS\r\n")
        self.wfile.write(b"221 bye\r\n" if line[:4].upper() == b"QUIT" else b"250 ok\r\n")


class Folders(Lines):
    greeting = b"* OK stub\r\n"

    def reply(self, line: bytes) -> None:
        tag, command = line.split()[:2]
        if command == b"CAPABILITY":
            self.wfile.write(b"* CAPABILITY IMAP4rev1\r\n")
        if command == b"LOGOUT":
            self.wfile.write(b"* BYE\r\n")
        self.wfile.write(tag + b" OK done\r\n")


class Box(Lines):
    greeting = b"+OK stub\r\n"

    def reply(self, line: bytes) -> None:
        self.wfile.write(b"+OK 1 1\r\n")


class Transfer(Lines):
    greeting = b"220 stub\r\n"

    def reply(self, line: bytes) -> None:
        command = line[:4].upper().strip()
        self.wfile.write(
            {b"QUIT": b"221 bye\r\n", b"NOOP": b"200 ok\r\n"}.get(command, b"230 ok\r\n")
        )


def later(function: Callable[..., object], *arguments: object) -> None:
    """Call ``function`` once this thread has gone on to wait for it, however long that takes."""
    thread, caller = threading.get_ident(), sys._getframe(1).f_code

    def waits() -> bool:
        frame = sys._current_frames()[thread]
        if frame.f_code is caller:
            return False
        while frame.f_code is not caller and frame.f_back is not None:
            # What the guard asks before it makes the call is no wait.
            if frame.f_code.co_name in {"can_block", "later"}:
                return False
            frame = frame.f_back
        return True

    def watch() -> None:
        seen = 0
        while seen < 20:  # it may just be on its way there
            seen = seen + 1 if waits() else 0
            time.sleep(0.001)
        function(*arguments)

    threading.Thread(target=watch, daemon=True).start()


def listen(handler: type[socketserver.BaseRequestHandler]) -> int:
    """Serve in a thread; the port."""
    kind = ThreadingHTTPServer if handler is Handler else socketserver.ThreadingTCPServer
    server = kind(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return int(server.server_address[1])


PORT = listen(Handler)
URL = f"http://127.0.0.1:{PORT}"
ECHO, SMTP, IMAP, POP, FTP = map(listen, (Lines, Mail, Folders, Box, Transfer))

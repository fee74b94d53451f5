"""An HTTP proxy between a tracking client and the service that breaks what it is told to break.

It also keeps what came by: the requests as the clients wrote them, and what the service answered.
"""

import gzip
import http.client
import json
import socket
import struct
import sys
import threading
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Requests under way to the service at a time. Clients that send everything at once would else be past every fault in one go.
AT_A_TIME = 4
# When the service dies: before it hears of the request, in the middle of its body, right after it, or once it has answered.
KILL_STAGES = ["before", "half", "sent", "answered"]


@dataclass
class Answer:
    """The proxy's own answer; the service does not hear of the request."""

    status: int
    headers: dict


@dataclass
class Drop:
    """The service answers, but the client sees the connection reset."""


@dataclass
class Kill:
    """The service is killed and started again; the client sees the connection reset."""

    stage: str


@dataclass
class Seen:
    """A request as the client wrote it."""

    headers: dict
    body: dict


class Plan:
    """What goes wrong: the first requests by the list, and kills once so many requests were answered."""

    def __init__(self, first=(), kills=()):
        self.first = deque(first)
        self.kills = deque(kills)
        self.lock = threading.Lock()

    def next(self, n_answered):
        with self.lock:
            if self.first:
                return self.first.popleft()
            if self.kills and n_answered >= self.kills[0][0]:
                return Kill(self.kills.popleft()[1])
            return None

    def is_done(self):
        return not self.first and not self.kills


class Proxy:
    def __init__(self, service, plan=None):
        self.service = service
        self.plan = plan or Plan()
        self.lock = threading.Lock()
        self.killing = threading.Lock()
        self.places = threading.Semaphore(AT_A_TIME)
        self.seen, self.answers, self.n_answered = [], [], 0
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.proxy = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=60)

    def total(self, name):
        """`accepted` or `duplicate` over all answers of the service, those that no client saw with them."""
        return sum(answer[name] for answer in self.answers)

    def saw(self, headers, body):
        plain = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        with self.lock:
            self.seen.append(Seen(headers, json.loads(plain)))

    def handle(self, path, headers, body):
        """The answer for the client as (status, headers, body); nothing for a connection that is reset."""
        fault = self.plan.next(self.n_answered)
        if isinstance(fault, Answer):
            return fault.status, fault.headers, b"{}"
        if isinstance(fault, Kill):
            with self.killing:
                self.kill(fault.stage, path, headers, body)
            return None
        try:
            answer = self.forward(path, headers, body)
        except (OSError, http.client.HTTPException):
            return None
        if isinstance(fault, Drop):
            return None
        with self.lock:
            self.n_answered += 1
        return answer

    def forward(self, path, headers, body):
        connection = self.send(path, headers, body, len(body))
        try:
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status == 200:
            with self.lock:
                self.answers.append(json.loads(text))
        return response.status, {"content-type": "application/json"}, text

    def send(self, path, headers, body, n_bytes):
        connection = http.client.HTTPConnection(self.service.address, timeout=30)
        try:
            connection.putrequest("POST", path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            connection.send(body[:n_bytes])
        except OSError:
            connection.close()
            raise
        return connection

    def kill(self, stage, path, headers, body):
        connection = None
        if stage == "answered":
            self.forward(path, headers, body)
        elif stage != "before":
            connection = self.send(path, headers, body, len(body) // 2 if stage == "half" else len(body))
        self.service.kill()
        if connection:
            connection.close()
        self.service.start()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client may close as it likes; what else goes wrong is told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        proxy = self.server.proxy
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() != "connection"}
        body = self.rfile.read(int(headers["content-length"]))
        proxy.saw(headers, body)
        with proxy.places:
            answer = proxy.handle(self.path, headers, body)
        if answer is None:
            self.reset()
        else:
            self.reply(*answer)

    def reset(self):
        """Closing without lingering sends a reset instead of an orderly end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def reply(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Silent: the tests say what matters."""

"""A real S3 server on loopback (moto's), and a proxy before it that breaks what it is told to."""

import http.client
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
from moto.server import ThreadedMotoServer

KEY, SECRET = "AKIAGLOTMIXTEST00001", "wJalr-not-a-real-secret-0123456789"
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}

Fault = Callable[["Proxy"], bool]
"""What is done instead of an answer; False to answer after all."""


class Store:
    """The server and its proxy.

    Args:
        port: of the server.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.fault: Fault | None = None
        self.broken = 0
        self.client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )

    def names(self, bucket: str) -> list[str]:
        """Return the keys of a bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

    def content(self, bucket: str) -> dict[str, bytes]:
        """Return all of a bucket."""
        return {k: self.client.get_object(Bucket=bucket, Key=k)["Body"].read() for k in self.names(bucket)}


class Proxy(BaseHTTPRequestHandler):
    """Hands requests on, and answers back, unless the store's fault does otherwise."""

    store: Store
    protocol_version = "HTTP/1.1"

    def log_message(self, *told: object) -> None:
        """Say nothing."""

    def hand_on(self) -> None:
        """Do what the request asks."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(self.chunks())
        if self.store.fault is not None and self.store.fault(self):
            self.store.broken += 1
            return
        self.reply(*self.asked(body))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = hand_on  # noqa: N815

    def chunks(self) -> Iterator[bytes]:
        """Yield a body that comes in pieces."""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def asked(self, body: bytes = b"") -> tuple[int, list[tuple[str, str]], bytes]:
        """Ask the server behind."""
        behind = http.client.HTTPConnection("127.0.0.1", self.store.port, timeout=60)
        told = {k: v for k, v in self.headers.items() if k.lower() != "transfer-encoding"}
        behind.request(self.command, self.path, body, told | ({"Content-Length": str(len(body))} if body else {}))
        answer = behind.getresponse()
        data = answer.read()
        behind.close()
        return answer.status, answer.getheaders(), data

    def reply(self, status: int, headers: list[tuple[str, str]], data: bytes, cut: int | None = None) -> None:
        """Answer, perhaps with no more than so many bytes of what was announced."""
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                self.send_header(name, value)
        length = next((v for k, v in headers if k.lower() == "content-length"), str(len(data)))
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(data)))
        self.end_headers()
        self.wfile.write(data if cut is None else data[:cut])
        if cut is not None:
            self.close_connection = True


def times(count: int, do: Callable[[Proxy], None], when: Callable[[Proxy], bool] = lambda _: True) -> Fault:
    """Make a fault that happens so often, to requests that fit."""
    left = [count]
    lock = threading.Lock()

    def fault(request: Proxy) -> bool:
        with lock:
            if left[0] <= 0 or not when(request):
                return False
            left[0] -= 1
        do(request)
        return True

    return fault


def error(status: int, code: str) -> Callable[[Proxy], None]:
    """Answer with an error of S3."""

    def do(request: Proxy) -> None:
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        request.reply(status, [("Content-Type", "application/xml")], b"" if request.command == "HEAD" else text)

    return do


def cut(request: Proxy) -> None:
    """Send half of the answer, and hang up."""
    status, headers, data = request.asked()
    request.reply(status, headers, data, cut=len(data) // 2)


def hang_up(request: Proxy) -> None:
    """Answer nothing."""
    request.close_connection = True


def slow(seconds: float) -> Callable[[Proxy], None]:
    """Answer late."""

    def do(request: Proxy) -> None:
        time.sleep(seconds)
        request.reply(*request.asked())

    return do


@contextmanager
def served() -> Iterator[tuple[Store, dict[str, str]]]:
    """Run both; yield the store and the environment under which it is found."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    store = Store(port)
    handler = type("Bound", (Proxy,), {"store": store})
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield store, ENVIRONMENT | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.server_address[1]}"}
    finally:
        proxy.shutdown()
        server.stop()


def gets(request: Proxy) -> bool:
    """Say whether a request reads a file."""
    return request.command == "GET" and "list-type" not in request.path


def lists(request: Proxy) -> bool:
    """Say whether a request lists a folder."""
    return "list-type" in request.path


def puts(request: Proxy) -> bool:
    """Say whether a request writes."""
    return request.command in ("PUT", "POST")


def passing() -> dict[str, Fault]:
    """Return faults that pass: the work must end in the same bytes."""
    return {
        "busy": times(3, error(503, "SlowDown")),
        "busy while it lists": times(2, error(503, "SlowDown"), lists),
        "busy while it is read": times(2, error(503, "ServiceUnavailable"), gets),
        "busy while it is written": times(2, error(503, "SlowDown"), puts),
        "an error of its own": times(2, error(500, "InternalError")),
        "an error of its own while it lists": times(1, error(500, "InternalError"), lists),
        "an error of its own while it is written": times(2, error(500, "InternalError"), puts),
        "cut off while it is read": times(1, cut, gets),
        "cut off twice": times(2, cut, gets),
        "hangs up": times(1, hang_up, gets),
        "hangs up while it lists": times(1, hang_up, lists),
        "hangs up while it is written": times(1, hang_up, puts),
        "slow": times(2, slow(0.5)),
        "slow to list": times(2, slow(0.5), lists),
        "slow to write": times(2, slow(0.5), puts),
    }


def refusing() -> dict[str, Fault]:
    """Return faults that stay: the work must end in an error that says what to do, and holds no secret."""
    for_good = 10**6
    return {
        "expired": times(for_good, error(403, "ExpiredToken")),
        "expired while it is read": times(for_good, error(403, "ExpiredToken"), gets),
        "expired while it is written": times(for_good, error(403, "ExpiredToken"), puts),
        "refused": times(for_good, error(403, "AccessDenied")),
        "refused while it is written": times(for_good, error(403, "AccessDenied"), puts),
        "unknown key": times(for_good, error(403, "InvalidAccessKeyId")),
    }

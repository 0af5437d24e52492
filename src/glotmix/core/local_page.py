"""A page that this machine alone can open: a folder of files and a few functions, behind a token in the address.

What is shown is other people's text, and what is read is a user's data. So the server listens on the loopback address
alone; every address holds a secret that is compared in constant time; a request whose ``Host`` is another name is
refused (DNS rebinding), and one that another site sent, too; the policy admits the page's own files, no inline script,
and no way from a string to markup (Trusted Types), whatever a document says. Nothing is asked of the network.

    page = LocalPage(Path("folder with index.html"), {"double": lambda given: {"twice": 2 * given["n"]}})
    page.serve(lambda address: print(address))

In the page, ``fetch("api/double", {method: "POST", body: JSON.stringify({n: 2})})`` is answered with ``{"twice": 4}``.
"""

import hmac
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from glotmix.core import json_text
from glotmix.core.errors import GlotmixError, MissingExtraError, RequestError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send
    from uvicorn import Server

Handler: TypeAlias = Callable[[dict[str, Any]], Any]
"""From the JSON object that the page sent to what is answered as JSON; called on several threads at once."""

EXTRA = "explore"
LOOPBACK = "127.0.0.1"
LARGEST = 1 << 20
"""Bytes of a request: the page asks short questions."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
"""Of every answer."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class LocalPage:
    """A page, the functions that it may call, and its address.

    Args:
        folder: its files, ``index.html`` among them; what has another ending than those of the web is not served.
        calls: name → what ``api/NAME`` does. A `GlotmixError` is answered as ``{error, fix}``, and the page shows it.
        wanted: what the user asked for, named where the extra is missing.
        port: where it listens; 0 for any free port.

    Raises:
        MissingExtraError: if the extra `explore` is not installed.
        RequestError: if something else listens on the port.
    """

    def __init__(self, folder: Path, calls: Mapping[str, Handler], wanted: str = "a local page", port: int = 0) -> None:
        require(wanted)
        import uvicorn

        self._files = {p.name: (_TYPES[p.suffix], p.read_bytes()) for p in folder.iterdir() if p.suffix in _TYPES}
        self._calls = dict(calls)
        self._token = secrets.token_urlsafe(24)
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            self._guarded(self._routes()),
            log_level="warning",
            access_log=False,  # it would write the token
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=2,
        )
        self._server: Server = uvicorn.Server(config)

    @property
    def address(self) -> str:
        """What to open: it holds the secret."""
        return f"http://{LOOPBACK}:{self.port}/{self._token}/"

    def serve(self, opened: Callable[[str], None] = lambda address: None) -> None:
        """Answer until Ctrl-C, SIGTERM or `stop`; `opened` is called with the address just before."""
        opened(self.address)
        # The server stops in good order at a signal, and raises it again afterwards.
        with suppress(KeyboardInterrupt):
            self._server.run(sockets=[self._socket])
        self._socket.close()

    def stop(self) -> None:
        """End `serve` after the answers that are under way."""
        self._server.should_exit = True

    @contextmanager
    def running(self) -> Iterator[str]:
        """Answer on a thread of its own meanwhile; yields the address."""
        thread = threading.Thread(target=self.serve, daemon=True)
        thread.start()
        try:
            while not self._server.started:
                if not thread.is_alive():
                    raise GlotmixError("the local page did not start")
                time.sleep(0.01)
            yield self.address
        finally:
            self.stop()
            thread.join(timeout=10)

    def _routes(self) -> "ASGIApp":
        from starlette.applications import Starlette
        from starlette.responses import Response
        from starlette.routing import Route

        async def file(request: "Request") -> Response:
            name = request.path_params.get("name") or "index.html"
            if name not in self._files:
                return Response("not found", 404)
            kind, content = self._files[name]
            return Response(content, media_type=kind)

        async def call(request: "Request") -> Response:
            return await self._called(request)

        return Starlette(
            routes=[
                Route("/{token}/", file),
                Route("/{token}/{name}", file),
                Route("/{token}/api/{name}", call, methods=["POST"]),
            ]
        )

    async def _called(self, request: "Request") -> "Response":
        from starlette.concurrency import run_in_threadpool

        handler = self._calls.get(request.path_params["name"])
        if handler is None:
            return _json({"error": "the page asked for something that there is not", "fix": None}, 404)
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST:
                return _json({"error": "the request is too long", "fix": None}, 413)
        try:
            given = json_text.loads(body or b"{}")
        except ValueError:
            given = None
        if not isinstance(given, dict):
            return _json({"error": "the request is no JSON object", "fix": None}, 400)
        try:
            return _json(await run_in_threadpool(handler, given))
        except GlotmixError as error:
            return _json({"error": error.message, "fix": error.fix}, 400)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            # A request that no page of glotmix makes.
            return _json(
                {"error": f"the request cannot be answered: {type(error).__name__}: {error}", "fix": None}, 400
            )

    def _guarded(self, app: "ASGIApp") -> "ASGIApp":
        from starlette.datastructures import MutableHeaders
        from starlette.responses import Response

        async def guarded(scope: "Scope", receive: "Receive", send: "Send") -> None:
            if scope["type"] != "http":
                return

            async def with_headers(message: Any) -> None:
                if message["type"] == "http.response.start":
                    MutableHeaders(scope=message).update(HEADERS)
                await send(message)

            refused = self._refused(scope)
            await (app if refused is None else Response(*refused))(scope, receive, with_headers)

        return guarded

    def _refused(self, scope: "Scope") -> tuple[str, int] | None:
        """Say why a request is not answered, with its status; None if it is."""
        from starlette.datastructures import Headers

        headers = Headers(scope=scope)
        hosts = {f"{LOOPBACK}:{self.port}", f"localhost:{self.port}"}
        if headers.get("host", "") not in hosts:
            return "this page has another name", 421
        given = scope["path"].split("/")[1]
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return "not found", 404
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if scope["method"] == "POST" and (
            (origin is not None and origin not in {f"http://{host}" for host in hosts})
            or (site is not None and site != "same-origin")
        ):
            return "another site asked", 403
        return None


def require(wanted: str) -> None:
    """Refuse, before any work, what needs a local page where the extra is missing.

    Raises:
        MissingExtraError: naming `wanted`, as the user would.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(wanted, EXTRA) from error


def _bound(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((LOOPBACK, port))
        made.listen(64)
    except (OSError, OverflowError) as error:
        made.close()
        why = getattr(error, "strerror", None) or error
        raise RequestError(f"nothing can listen on port {port}: {why}", "--port 0 takes any free one") from error
    return made


def _json(answer: Any, status: int = 200) -> "Response":
    from starlette.responses import Response

    text = json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, media_type="application/json")

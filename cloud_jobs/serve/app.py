"""The page as an ASGI application, and serving it on this computer.

One process, read-only over store and lake: it may run beside the jobs or after them. Nothing is
loaded from anywhere else: style sheet and script are files of this folder.
"""

from __future__ import annotations

import math
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import jinja2
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cloud_jobs.lake import Lake
from cloud_jobs.serve import words
from cloud_jobs.serve.pages import Context, NotHereError, Pages, Ranges
from cloud_jobs.store import Store
from vibro import __version__
from vibro.errors import BadInputError, VibroError

HERE = Path(__file__).parent
HOSTS = ["127.0.0.1", "localhost"]
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self'; script-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def application(
    store: Store, lake: Lake, *, hosts: list[str] | None = None, now_ns: Callable[[], int]
) -> Starlette:
    """Build the application.

    Parameters
    ----------
    store, lake
        Read only.
    hosts : list of str, optional
        Names under which a browser may ask; others are refused, so that a foreign page cannot
        read this one through a name of its own. Default: this computer's own.
    now_ns : callable
        The time, ns UTC.
    """
    site = _Site(Pages(store, lake), now_ns)
    return Starlette(
        routes=[
            Route("/", site.fleet),
            Route("/machines/{site}/{machine}", site.machine),
            Route("/events/{thing:path}", site.event),
            Route("/clips/{thing:path}", site.clip),
            Route("/api/query", site.query),
            Route("/healthz", site.health),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts or HOSTS)],
        exception_handlers={BadInputError: site.failed, HTTPException: site.failed},
    )


class _Site:
    """Endpoints; each fills one template. Requests take turns at the lake's table handles."""

    def __init__(self, pages: Pages, now_ns: Callable[[], int]) -> None:
        self._pages, self._now_ns = pages, now_ns
        self._turn = threading.Lock()
        self._templates = _templates()

    def fleet(self, request: Request) -> Response:
        question = request.query_params.get("q", "").strip()
        with self._turn:
            found = self._pages.fleet(question, self._now_ns())
        return self._page("fleet.html", found)

    def machine(self, request: Request) -> Response:
        path = f"{request.path_params['site']}/{request.path_params['machine']}"
        with self._turn:
            return self._page("machine.html", self._pages.machine(path, _ranges(request)))

    def event(self, request: Request) -> Response:
        return self._thing(request, self._pages.event)

    def clip(self, request: Request) -> Response:
        return self._thing(request, self._pages.clip)

    def query(self, request: Request) -> Response:
        try:
            with self._turn:
                rows = self._pages.answer(request.query_params.get("q", ""), self._now_ns())
        except BadInputError as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(rows)

    def health(self, request: Request) -> Response:
        del request
        return PlainTextResponse("ok\n")

    def failed(self, request: Request, error: Exception) -> Response:
        """One page for everything that went wrong: what, and the way back."""
        del request
        code = 404 if isinstance(error, NotHereError) else 400
        said = str(error)
        if isinstance(error, HTTPException):
            code, said = error.status_code, error.detail
        return self._page("error.html", {"said": said, "code": code}, code)

    def _thing(self, request: Request, gather: Callable[[str, str, Ranges], Context]) -> Response:
        channel = request.query_params.get("channel", "")
        with self._turn:
            return self._page(
                "clip.html", gather(request.path_params["thing"], channel, _ranges(request))
            )

    def _page(self, name: str, found: Context, code: int = 200) -> Response:
        text = self._templates.get_template(name).render(found)
        return HTMLResponse(text, code, headers=HEADERS)


def _ranges(request: Request) -> dict[str, tuple[float, float]]:
    """Return the spans of x axes that an address asks for; what is no span is passed over."""
    found = {}
    for name, text in request.query_params.items():
        try:
            lo, hi = (float(part) for part in text.split(","))
        except ValueError:
            continue
        if math.isfinite(lo) and math.isfinite(hi) and lo < hi:
            found[name] = (lo, hi)
    return found


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    for say in (
        words.fault_words,
        words.severity_word,
        words.clock,
        words.stamp,
        words.span,
        words.number,
        words.big,
        words.tiny,
        words.chance,
    ):
        environment.filters[say.__name__] = say
    environment.filters["url"] = lambda thing: quote(thing, safe="/:")
    environment.globals["version"] = __version__
    return environment


def serve(
    home: Path,
    host: str,
    port: int,
    *,
    ready: Callable[[str], None],
    any_port: bool = False,
) -> None:
    """Serve the page over a home folder until Ctrl-C or SIGTERM.

    Parameters
    ----------
    host, port
        Where to listen; port 0 takes a free one.
    ready : callable
        Told the page's address once it can be opened.
    any_port : bool
        Take a free port where ``port`` is in use.

    Raises
    ------
    VibroError
        If the address cannot be listened on.
    """
    listening = _listen(host, port, any_port)
    store = Store(home)
    lake = Lake(home)
    address = f"http://{host}:{listening.getsockname()[1]}/"
    try:
        app = application(store, lake, hosts=HOSTS if host in HOSTS else ["*"], now_ns=time.time_ns)
        server = _Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        server.told = lambda: ready(address)
        server.run(sockets=[listening])
    finally:
        store.close()
        listening.close()


class _Server(uvicorn.Server):
    """Says when the page can be opened; being told to stop is no error."""

    told: Callable[[], None]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {n: signal.signal(n, self.handle_exit) for n in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.told()


def _listen(host: str, port: int, any_port: bool) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        if any_port and port:
            return _listen(host, 0, any_port=False)
        raise VibroError(
            f"cannot listen on {host}:{port} ({error.strerror}): name another --port, 0 for any"
        ) from None
    return listening

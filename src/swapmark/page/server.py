"""The page in the browser: what it may ask for over HTTP, and who may ask.

It listens on the loopback address alone. Its address holds a token that nobody else knows, and who
calls this machine by another name is refused, so that a page from elsewhere cannot reach it through
a name of its own (DNS rebinding). Pictures are asked for by number: no path comes from outside.
"""

import os
import secrets
import socket
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from swapmark.data.pixels import ImageProblem
from swapmark.data.sources import Source
from swapmark.detector import load
from swapmark.errors import InputError, SwapmarkError
from swapmark.page.session import Session

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
    from starlette.routing import Route
except ModuleNotFoundError as error:
    raise InputError(
        f"The page needs {error.name}, which is not installed: pip install 'swapmark[page]'"
    ) from error

HERE = "127.0.0.1"
STATIC = Path(__file__).resolve().parent / "static"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
KEPT = HEADERS | {"Cache-Control": "private, max-age=3600"}
"""For pictures: the next one is fetched while one is marked."""


def make_app(session: Session, token: str) -> Starlette:
    """The page of a session, at /TOKEN/."""

    def route(path: str, answer: Callable[[Request, Any], Any], method: str = "GET") -> Route:
        """`answer` takes the request and the JSON that came with it, in a thread."""

        async def endpoint(request: Request) -> Response:
            if not secrets.compare_digest(request.path_params["token"].encode(), token.encode()):
                return await not_here(request, None)
            try:
                body = await request.json() if method == "PUT" else None
                found = await run_in_threadpool(answer, request, body)
            except (ImageProblem, SwapmarkError, LookupError, TypeError, ValueError) as error:
                return JSONResponse({"problem": str(error)}, 409, HEADERS)
            return found if isinstance(found, Response) else JSONResponse(found, headers=HEADERS)

        return Route(f"/{{token}}/{path}", endpoint, methods=[method])

    def file(name: str) -> Callable:
        return lambda request, body: FileResponse(STATIC / name, headers=HEADERS)

    def state(request: Request, body: Any = None) -> dict:
        index = request.query_params.get("index")
        return session.state(None if index is None else int(index))

    def picture(request: Request, body: Any) -> dict:
        return session.picture(request.path_params["index"])

    def image(request: Request, body: Any) -> Response:
        shown = session.shown(request.path_params["index"])
        return Response(shown.content, headers=KEPT, media_type=shown.kind)

    def put(request: Request, body: Any) -> dict:
        index = request.path_params["index"]
        session.put(index, body["points"], body["missing"])
        return session.state(index)

    def rename(request: Request, body: Any) -> dict:
        session.rename(body["names"])
        return state(request)

    async def not_here(request: Request, error: Any) -> Response:
        text = "Not here. Copy the whole address that swapmark mark has printed."
        return PlainTextResponse(text, 404, HEADERS)

    return Starlette(
        routes=[
            route("", file("index.html")),
            route("mark.js", file("mark.js")),
            route("mark.css", file("mark.css")),
            route("state", state),
            route("picture/{index:int}", picture),
            route("image/{index:int}", image),
            route("points/{index:int}", put, "PUT"),
            route("names", rename, "PUT"),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HERE, "localhost"])],
        exception_handlers={404: not_here},
    )


class Page:
    """A page to mark `images` in the table `out`, as a context; the table is saved all the time.

    `run` names what finds landmarks, see `load`; without it nothing is suggested. `port` 0 is any
    that is free. Raises InputError and RunError as `Session` and `load` do.
    """

    def __init__(
        self,
        images: Source,
        out: Path,
        *,
        run: str | None = None,
        names: Sequence[str] = (),
        format: str | None = None,
        device: str | None = None,
        port: int = 0,
    ):
        detector = load(run, device=device) if run else None
        self._socket = socket.socket()
        try:
            if os.name == "posix":  # elsewhere it would let others listen, too
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((HERE, port))
            self._socket.listen()
            self.session = Session(images, out, names=names, format=format, detector=detector)
        except BaseException as error:
            self._socket.close()
            if not isinstance(error, OSError | OverflowError):
                raise
            raise InputError(
                f"Port {port} cannot be used ({error}). Choose another --port, or leave it out."
            ) from error
        token = secrets.token_urlsafe(24)
        self.address = f"http://{HERE}:{self._socket.getsockname()[1]}/{token}/"
        """What the browser opens."""
        app = make_app(self.session, token)
        self.server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
        )

    def serve(self, *, browser: bool = True) -> None:
        """Serve the page until Ctrl-C, and open a `browser` at it."""
        if browser:
            webbrowser.open(self.address)
        with suppress(KeyboardInterrupt):
            self.server.run(sockets=[self._socket])

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *_) -> None:
        self.session.close()
        self._socket.close()

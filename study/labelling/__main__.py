"""`python -m study.labelling photos ratings.csv`: a page on this machine where images are scored by keys 1 to 5."""

import io
import json
import secrets
import webbrowser
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Annotated

import typer
from PIL import Image

from grmp.errors import UserError
from grmp.io.decode import read_image
from study.command import run_command
from study.labelling.ratings import Ratings

PAGE = Path(__file__).with_name("page.html")
SCORES = range(1, 6)
LONGEST = 10_000
"""Bytes of what the page sends."""


def serve(ratings: Ratings, port: int = 0) -> tuple[ThreadingHTTPServer, str]:
    """A server of the page on this machine alone, and the page's address, whose secret part no other page knows.

    Raises:
        OSError: the port is taken.
    """
    secret, lock = secrets.token_urlsafe(16), Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(self.path.partition("?")[0], None)

        def do_POST(self) -> None:
            size = min(int(self.headers.get("Content-Length") or 0), LONGEST)
            self._answer(self.path, self.rfile.read(size))

        def _answer(self, path: str, content: bytes | None) -> None:
            try:
                kind, body = answer(ratings, path.removeprefix(f"/{secret}/"), content, lock)
            except UserError as error:
                self._send(500, "text/plain; charset=utf-8", str(error).encode())
            except (KeyError, ValueError, TypeError):
                self._send(404, "text/plain; charset=utf-8", b"no such page")
            else:
                self._send(200, kind, body)

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: a line per request helps nobody."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    return server, f"http://127.0.0.1:{server.server_port}/{secret}/"


def answer(ratings: Ratings, name: str, content: bytes | None, lock: Lock) -> tuple[str, bytes]:
    """Content type and content of what the page asks for; `content` is what it sends.

    Raises:
        KeyError: it asks for something else.
        ValueError: a score that is none of `SCORES`.
        UserError: the image cannot be read, or the table not written.
    """
    with lock:
        if content is None and name == "":
            return "text/html; charset=utf-8", PAGE.read_bytes()
        if content is None and name == "image":
            target = io.BytesIO()
            Image.fromarray(read_image(ratings.path())).save(target, "png", compress_level=1)
            return "image/png", target.getvalue()
        if content is not None and name == "give":
            given = json.loads(content)
            if given["score"] not in SCORES:
                raise ValueError(given["score"])
            ratings.give(given["image"], given["score"])
        elif content is not None and name == "undo":
            ratings.undo()
        elif content is not None or name != "state":
            raise KeyError(name)
        row = ratings.current
        image = None if row is None else ratings.rows.at[row, "image"]
        state = {"image": image, "done": ratings.done, "total": len(ratings.rows)}
        return "application/json", json.dumps(state).encode()


def main(
    data: Annotated[Path, typer.Argument(help="folder of the images")],
    table: Annotated[Path, typer.Argument(help="table of grmp suggest: image,mos")],
    port: Annotated[int, typer.Option(help="of the page; 0: a free one")] = 0,
) -> None:
    """Score images in a browser, one at a time: keys 1 (bad) to 5 (excellent), z takes one back, saved at each key."""
    try:
        server, address = serve(Ratings(table, data), port)
    except OSError as error:
        raise UserError(f"--port {port}: {error.strerror}") from None
    typer.echo(f"score the images at {address}\nCtrl-C ends it; the same command goes on")
    webbrowser.open(address)
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    run_command(main)

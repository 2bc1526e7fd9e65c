"""Servers outside, asked over HTTP: those that the tenant's configuration allows in `[tenant.http]`."""

from __future__ import annotations

import json as _json
from typing import Any

from . import _exchange as exchange
from ._words import Failure, millis, verb

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


class Response:
    """What a server answered, whatever its status."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        #: 200 to 599.
        self.status: int = handle.status()
        #: The status is 200 to 299.
        self.ok: bool = 200 <= self.status < 300

    def header(self, name: str) -> str | None:
        """The first value of a header, by its name in any case."""
        return next(iter(self._handle.header(name)), None)

    @property
    def content(self) -> bytes:
        """The body."""
        return bytes(self._handle.body())

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 in it is replaced."""
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON; raises `Failure` when it is none."""
        try:
            return _json.loads(self.content)
        except ValueError as why:
            raise Failure(f"the answer is no JSON: {why}") from None


class http:
    """A request waits for its answer. It raises `TimedOut`, `Unreachable`, `NotFound` when nobody knows the name,
    `Invalid`, or `Limit` with the key of the tenant's configuration: "http_allow" when the server is not allowed,
    "http_reach" when its address is a private one, or one of the limits."""

    @staticmethod
    def send(
        method: str,
        url: str,
        *,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        data: str | bytes = b"",
        json: Any = None,
        timeout: float = 0,
        redirects: int = 0,
    ) -> Response:
        """`method`: "GET", "HEAD", "POST", "PUT", "PATCH" or "DELETE". `params` are put behind the URL, whatever is in
        them. `json` stands in place of `data`. `timeout`: seconds; the tenant's `http_time` unless said, and never
        longer. `redirects`: so many are followed, 0 to 5; with 0 a redirect is the answer."""
        written = list((headers or {}).items())
        body = data.encode() if isinstance(data, str) else bytes(data)
        if json is not None:
            body = _json.dumps(json).encode()
            written.append(("content-type", "application/json"))
        if params:
            behind = "&".join(f"{_percent(name)}={_percent(value)}" for name, value in params.items())
            url += ("&" if "?" in url else "?") + behind
        wanted = getattr(exchange.http.Method, method.upper())
        request = exchange.http.Request(wanted, url, written, body, millis(timeout), redirects)
        return Response(verb(exchange.http.fetch, request))

    @staticmethod
    def get(url: str, **how: Any) -> Response:
        """Reads what is at a URL; see `send`."""
        return http.send("GET", url, **how)

    @staticmethod
    def post(url: str, **how: Any) -> Response:
        """Has a body dealt with by what is at a URL; see `send`."""
        return http.send("POST", url, **how)


def _percent(text: str) -> str:
    """RFC 3986 §2.1: everything but the unreserved characters."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in str(text).encode())

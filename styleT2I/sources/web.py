"""One answer of a web server: https only, few redirects, no endless wait; a failure is final or worth a retry."""

from __future__ import annotations

import http.client
import ipaddress
import ssl
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import styleT2I
from styleT2I.errors import DownloadError

TIMEOUT = 30.0  # seconds without a byte
MAX_REDIRECTS = 5
MAX_WAIT = 60.0  # seconds that a server's Retry-After is followed
_RETRIED = (408, 425, 429, 500, 502, 503, 504)
_FINAL = {
    401: "the server asks for a login",
    403: "the server refuses access, it may want a login or a licence accepted on its page",
    404: "the server has no such file",
    410: "the server has the file no longer",
}


def printable(text: str) -> str:
    """`text` of a server's in one line of at most 200 characters, with what would steer a terminal replaced."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in " ".join(text.split())[:200])


class Transient(Exception):
    """A failure that the next attempt may not meet; `wait`: seconds that the server asked for, or None."""

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait


def open_url(url: str, headers: dict[str, str] | None = None):
    """Ask for `url` and return the open response of status 200, 206 or 416.

    Raises Transient where another attempt may help and DownloadError (the cause alone) where it will not.
    """
    check_url(url)
    agent = f"styleT2I/{styleT2I.__version__}"
    request = urllib.request.Request(
        url, headers={"User-Agent": agent, "Accept-Encoding": "identity", **(headers or {})}
    )
    handlers = [_Redirects] if url.startswith("https:") else [_Redirects, urllib.request.ProxyHandler({})]
    try:
        return urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            return error
        with error:
            raise _refusal(error) from error
    except http.client.InvalidURL as error:
        raise DownloadError(f"not a valid address ({printable(str(error))})") from error
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        raise _failure(error) from error


def read_block(response, size: int) -> bytes:
    """What has come of a response, at most `size` bytes, b"" at its end; Transient when it breaks or stalls."""
    try:
        return response.read1(size)  # `read` would lose the bytes that came before a stall
    except (OSError, http.client.HTTPException) as error:
        raise _failure(error) from error


def check_url(url: str) -> None:
    """Raise DownloadError unless `url` is https, or http to this very machine, and names no user."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        is_plain = parts.username is None and not any(c.isspace() or ord(c) < 32 for c in url)
    except ValueError as error:
        raise DownloadError(f"not a valid address ({error})") from error
    if not host or not is_plain or parts.scheme not in ("https", "http"):
        raise DownloadError("not an address that can be fetched; give https://HOST/FILE, without user name or spaces")
    if parts.scheme == "http" and not _is_this_machine(host):
        raise DownloadError("not encrypted, so anybody on the way could change the file; give an https:// address")


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = MAX_REDIRECTS
    max_repeats = 2

    def redirect_request(self, request, response, code, message, headers, newurl):
        try:
            check_url(newurl)
        except DownloadError as error:
            raise DownloadError(f"the server sends us on to {printable(newurl)}: {error}") from error
        return super().redirect_request(request, response, code, message, headers, newurl)


def _is_this_machine(host):
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refusal(error):
    """What a status above 299 means."""
    if error.code in _RETRIED:
        wait = error.headers.get("Retry-After", "")
        return Transient(f"the server answers {error.code}", min(float(wait), MAX_WAIT) if wait.isdecimal() else None)
    if 300 <= error.code < 400 and "not allowed" in str(error.msg):
        return DownloadError("the server sends us on to an address that is none of the web's")
    if 300 <= error.code < 400:
        return DownloadError(f"the server sends us on in a circle, or more than {MAX_REDIRECTS} times")
    return DownloadError(f"{_FINAL.get(error.code, 'the server refuses')} (status {error.code})")


def _failure(error):
    """What an exception on the way to the server means."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return DownloadError(f"the server cannot prove who it is ({reason.verify_message})")
    if isinstance(reason, TimeoutError):
        return Transient(f"nothing came for {TIMEOUT:g} s")
    text = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return Transient(f"no connection ({printable(text)})")

"""Where the development server listens: the socket, the certificate, and what goes wrong there."""

from __future__ import annotations

import errno
import os
import socket
import sys
from contextlib import ExitStack
from tempfile import TemporaryDirectory

from werkzeug.serving import get_interface_ip, make_ssl_devcert

_BACKLOG = 128
#: How many ports ``--auto-port`` tries.
_TRIES = 100
#: Addresses that mean every interface, each with one that a browser here can open.
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def listen(host: str, port: int, auto_port: bool = False) -> socket.socket:
    """A listening socket.

    :param auto_port: where the port is taken, take the next free one above it and say so.
    :raises SystemExit: with code 1, having said what is wrong with the address.
    """
    if not 0 <= port <= 65535:
        raise failure(
            f"port {port} does not exist. Choose one from 1 to 65535, or 0 for any free port."
        )
    try:
        return _bound(host, port)
    except OSError as e:
        if not (auto_port and e.errno == errno.EADDRINUSE):
            raise failure(_why_not(e, host, port)) from None
    for other in range(port + 1, min(port + _TRIES, 65535) + 1):
        try:
            listener = _bound(host, other)
        except OSError:
            continue
        print(f" * Port {port} is in use by another program: {other} is taken instead.", flush=True)
        return listener
    raise failure(f"port {port} on {host} and the {_TRIES} above it are in use by other programs.")


def _bound(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), family=_family(host), backlog=_BACKLOG)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is in use by another program. Stop that program, or choose"
            f" another port: app.run(port={port + 1}) or 'vial run --port {port + 1}'."
            " With '--auto-port' the next free one is taken."
        )
    if error.errno == errno.EACCES:
        return f"port {port} needs special rights. Choose one above 1023."
    reason = str(error.strerror).partition(" (")[0]
    return (
        f"cannot listen on {host} port {port}: {reason}. Use an address of this machine, such as"
        " 127.0.0.1, or 0.0.0.0 for all of them."
    )


def announce(host: str, port: int, is_https: bool) -> None:
    """Print the addresses that a browser can open."""
    if host in _WILDCARDS:
        print(f" * Running on all addresses ({host})")
    for url in _urls("https" if is_https else "http", host, port):
        print(f" * Running on {url}")
    print("Press CTRL+C to quit", flush=True)


def _urls(scheme: str, host: str, port: int) -> list[str]:
    hosts = [host]
    if host in _WILDCARDS:
        # The second is for other machines, a phone on the same network for one.
        hosts = [_WILDCARDS[host], get_interface_ip(_family(host))]
    return [f"{scheme}://{_in_url(host)}:{port}/" for host in dict.fromkeys(hosts)]


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def certificate(ssl_context: object, closing: ExitStack) -> tuple[str, str] | None:
    """The files of certificate and key, if it shall be https.

    :param closing: removes a made one's files.
    :raises SystemExit: with code 1, having said what is wrong.
    """
    if ssl_context is None:
        return None
    if ssl_context == "adhoc":
        return _self_signed(closing.enter_context(TemporaryDirectory(prefix="vial-")))
    match ssl_context:
        case (str() | os.PathLike() as cert, str() | os.PathLike() as key):
            return os.fspath(cert), os.fspath(key)
        case _:
            raise failure(
                f"ssl_context must be a pair of PEM file names (certificate, key) or 'adhoc', not"
                f" {ssl_context!r}."
            )


def _self_signed(directory: str) -> tuple[str, str]:
    try:
        return make_ssl_devcert(os.path.join(directory, "adhoc"), host="localhost")
    except TypeError:
        raise failure(
            "ssl_context='adhoc' needs the 'cryptography' package: pip install cryptography."
        ) from None


def failure(why: str) -> SystemExit:
    """Say why the server cannot start."""
    print(f"Error: {why}", file=sys.stderr, flush=True)
    return SystemExit(1)

"""What does an async "Hello" cost over a socket, beside other frameworks with a loop?

benchmarks/async_hello.py [--seconds 3] [--rounds 5] [--clients 64] [--only bare,vial]
"""

from __future__ import annotations

from serving import Peer, chosen, compare, on_granian, options, report, request, save

PEERS = {
    "bare": Peer("no framework, RSGI", on_granian("rsgi", "bare_rsgi")),
    "vial": Peer("Vial, RSGI", on_granian("rsgi", "vial")),
    "vial-asgi": Peer("Vial, ASGI", on_granian("asgi", "vial")),
    "bare-asgi": Peer("no framework, ASGI", on_granian("asgi", "bare_asgi")),
    "blacksheep": Peer("BlackSheep, ASGI", on_granian("asgi", "blacksheep"), "blacksheep"),
    "starlette": Peer("Starlette, ASGI", on_granian("asgi", "starlette"), "starlette"),
    "litestar": Peer("Litestar, ASGI", on_granian("asgi", "litestar"), "litestar"),
    "fastapi": Peer("FastAPI, ASGI", on_granian("asgi", "fastapi"), "fastapi"),
    "quart": Peer("Quart, ASGI", on_granian("asgi", "quart"), "quart"),
    "sanic": Peer("Sanic, its own server", "async_peers.py sanic {port}", "sanic"),
    "aiohttp": Peer("aiohttp, its own server", "async_peers.py aiohttp {port}", "aiohttp"),
}


def main() -> None:
    args = options(__doc__ or "").parse_args()
    peers = chosen(PEERS, args.only)
    results = compare(args, peers, request("/"))
    report("async hello", peers, results)
    save(args.json, {"async hello": results})


if __name__ == "__main__":
    main()

"""What does a WebSocket message cost, there and back, beside other servers?

    benchmarks/websocket_echo.py [--seconds 3] [--rounds 5] [--clients 64] [--only vial]

Node's ws is found through NODE_PATH.
"""

from __future__ import annotations

from serving import Peer, chosen, compare, on_granian, options, report, save, text_frame, upgrade

PEERS = {
    "vial": Peer("Vial, RSGI", on_granian("rsgi", "vial_socket")),
    "vial-asgi": Peer("Vial, ASGI", on_granian("asgi", "vial_socket")),
    "bare": Peer("no framework, RSGI", on_granian("rsgi", "bare_rsgi")),
    "bare-asgi": Peer("no framework, ASGI", on_granian("asgi", "bare_asgi")),
    "starlette": Peer("Starlette, ASGI", on_granian("asgi", "starlette"), "starlette"),
    "sanic": Peer("Sanic, its own server", "async_peers.py sanic {port}", "sanic"),
    "aiohttp": Peer("aiohttp, its own server", "async_peers.py aiohttp {port}", "aiohttp"),
    "node": Peer("Node's ws", "node echo.js {port}", "node"),
}


def main() -> None:
    args = options(__doc__ or "").parse_args()
    peers = chosen(PEERS, args.only)
    results = compare(args, peers, text_frame(b"x" * 100), upgrade("/ws"))
    report("WebSocket echo", peers, results)
    save(args.json, {"WebSocket echo": results})


if __name__ == "__main__":
    main()

"""What does a sync view cost where a loop serves, beside other frameworks?

Twice: a view that answers at once, and one that blocks for five milliseconds first.

    benchmarks/sync_beside_loop.py [--seconds 3] [--rounds 5] [--clients 64] [--only vial]
"""

from __future__ import annotations

from serving import Peer, chosen, compare, on_granian, options, report, request, save

PEERS = {
    "vial": Peer("Vial, RSGI", on_granian("rsgi", "vial")),
    "vial-asgi": Peer("Vial, ASGI", on_granian("asgi", "vial")),
    "starlette": Peer("Starlette, ASGI", on_granian("asgi", "starlette"), "starlette"),
    "fastapi": Peer("FastAPI, ASGI", on_granian("asgi", "fastapi"), "fastapi"),
    "robyn": Peer("Robyn, its own server", "async_peers.py robyn {port}", "robyn"),
}


def main() -> None:
    args = options(__doc__ or "").parse_args()
    peers = chosen(PEERS, args.only)
    cases = {}
    for title, pause in (("sync hello", 0.0), ("sync, 5 ms of waiting", 0.005)):
        cases[title] = compare(args, peers, request("/sync"), pause=pause)
        report(title, peers, cases[title])
    save(args.json, cases)


if __name__ == "__main__":
    main()

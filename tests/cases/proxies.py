"""What proxies in front of every gateway may say of a client (``TRUSTED_PROXIES``)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vial import Vial, request, session, url_for

from .apps import WithApp
from .entrances import Entrance

INSIDE = ["10.0.0.0/8", "fd00::/8", "unix"]
FOR, PROTO, HOST, PREFIX = (f"X-Forwarded-{n}" for n in ("For", "Proto", "Host", "Prefix"))
PLAIN = ["http://localhost/", "127.0.0.1"]
#: Who asks, what X-Forwarded-For says, and the route that is believed, the client first.
ROUTES = [
    ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
    ("10.0.0.1", "9.9.9.9, 1.2.3.4, 10.0.0.7", "1.2.3.4, 10.0.0.7"),
    ("10.0.0.1", " 1.2.3.4:5678 ,10.0.0.7:80", "1.2.3.4, 10.0.0.7"),
    ("10.0.0.1", "10.0.0.8,10.0.0.7", "10.0.0.8, 10.0.0.7"),
    ("10.0.0.1", "2001:DB8::1", "2001:db8::1"),
    ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
    ("10.0.0.1", "[2001:db8::1]:443, [fd00::2]:1", "2001:db8::1, fd00::2"),
    ("10.0.0.1", "1.2.3.4, ::ffff:10.0.0.7", "1.2.3.4, 10.0.0.7"),
    ("::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4"),
    ("fd00::1", "1.2.3.4", "1.2.3.4"),
    ("", "1.2.3.4", "1.2.3.4"),
    # Nobody that is believed says it.
    ("11.0.0.1", "1.2.3.4", ""),
    ("::1", "1.2.3.4", ""),
    ("unknown", "1.2.3.4", ""),
    # The last one that can be believed, where what it said is no address.
    ("10.0.0.1", "1.2.3.4,,10.0.0.7", "10.0.0.7"),
    ("10.0.0.1", "1.2.3.4, unknown, 10.0.0.7", "10.0.0.7"),
    ("10.0.0.1", ",".join(["1.2.3.4", *["10.0.0.7"] * 40]), ", ".join(["10.0.0.7"] * 32)),
]
NO_ADDRESSES = [
    *(
        "",
        ",",
        "1.2.3.4,",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "1.2.3.4:",
        "1.2.3.4:0",
        "1.2.3.4:99999",
    ),
    *("1.2.3.4:8o", "[1.2.3.4]", "[::1", "::1]", "[::1]:", "[::1]:99999", "[::1]x", "fe80::1%eth0"),
    *(
        "unknown",
        "_hidden",
        "localhost",
        "1.2.3.4 5.6.7.8",
        "1.2.3.4\x0b",
        "for=1.2.3.4",
        "1" * 9000,
    ),
]
NO_HOSTS = [
    "",
    "a/b",
    "a@b",
    "a b",
    "a?b",
    "a#b",
    "a\\b",
    "[::1",
    "a:0",
    "a:99999",
    "a:b",
    "a,",
    "a\x7f",
]
NO_PREFIXES = [
    "",
    "app",
    "//evil.test",
    "/a//b",
    "/a/../b",
    "/.",
    "/a?b",
    "/a b",
    "/a\\b",
    "/a\x7f",
]
SAID = {FOR: "1.2.3.4", PROTO: "https", HOST: "shop.test", PREFIX: "/app"}


def tell() -> dict[str, Any]:
    """All that a view may learn of the client and of itself."""
    kept = [f"{n} {v}" for n, v in request.headers if n.startswith("X-Forwarded")]
    return {
        "seen": [request.url, request.remote_addr],
        "route": list(request.access_route),
        "secure": [request.scheme, request.is_secure],
        "root": [request.root_path, request.url_root, request.host_url, request.host],
        "link": [url_for("tell"), url_for("tell", _external=True)],
        "kept": sorted(kept),
    }


class ProxyCases(WithApp):
    """``entrance.ask(app, client=address, …)``."""

    @pytest.fixture(autouse=True)
    def view(self, app: Vial, lane: Any) -> None:
        app.add_url_rule("/", "tell", lane(tell))

    def ask(self, entrance: Entrance, app: Vial, said: dict[str, str], **options: Any) -> Any:
        return entrance.ask(app, headers=list(said.items()), **options)

    def test_without_the_key_nobody_is_believed(self, entrance: Entrance, app: Vial) -> None:
        told = json_of(self.ask(entrance, app, SAID))
        assert told["seen"] == PLAIN and told["secure"] == ["http", False]
        assert told["root"][0] == "" and len(told["kept"]) == 4

    @pytest.mark.parametrize("trusted", [1, ["127.0.0.0/8"], ("::1", "127.0.0.1")])
    def test_a_proxy_tells_all_of_the_client(
        self, entrance: Entrance, app: Vial, trusted: Any
    ) -> None:
        app.config["TRUSTED_PROXIES"] = trusted
        told = json_of(self.ask(entrance, app, SAID))
        assert told["seen"] == ["https://shop.test/app/", "1.2.3.4"]
        assert told["route"] == ["1.2.3.4"] and told["secure"] == ["https", True]
        url = "https://shop.test/"
        assert told["root"] == ["/app", f"{url}app/", url, "shop.test"]
        assert told["link"] == ["/app/", f"{url}app/"]

    def test_every_header_is_believed_by_itself(self, entrance: Entrance, app: Vial) -> None:
        app.config["TRUSTED_PROXIES"] = 1
        for name, value in SAID.items():
            told = json_of(self.ask(entrance, app, {name: value}))
            assert told["kept"] == [f"{name} {value}"]
            assert (told["seen"][1] == "1.2.3.4") == (name == FOR)
            assert told["secure"][1] == (name == PROTO)
            assert (told["root"][3] == "shop.test") == (name == HOST)
            assert (told["root"][0] == "/app") == (name == PREFIX)

    def test_a_route_is_walked_from_the_right_past_proxies_that_are_believed(
        self, entrance: Entrance, app: Vial
    ) -> None:
        app.config["TRUSTED_PROXIES"] = INSIDE
        for peer, said, route in ROUTES:
            told = json_of(self.ask(entrance, app, {FOR: said}, client=peer))
            assert told["kept"] == ([f"{FOR} {route}"] if route else []), (peer, said)
            client = route.split(", ")[0] or peer
            assert (told["seen"][1], told["route"][0]) == (client, client), (peer, said)

    def test_a_stranger_is_believed_nothing(self, entrance: Entrance, app: Vial) -> None:
        app.config["TRUSTED_PROXIES"] = ["10.0.0.0/8"]
        for peer in ("127.0.0.1", "11.0.0.1", "::1"):
            told = json_of(self.ask(entrance, app, SAID, client=peer))
            assert told["seen"] == ["http://localhost/", peer] and told["route"] == [peer]
            assert told["kept"] == []
        assert json_of(self.ask(entrance, app, SAID, client=""))["kept"] == []

    def test_so_many_proxies_tell_so_many_values(self, entrance: Entrance, app: Vial) -> None:
        app.config["TRUSTED_PROXIES"] = 2
        twice = {
            FOR: "6.6.6.6, 1.2.3.4, 5.5.5.5",
            PROTO: "ftp,https,http",
            HOST: "evil.test,a.test,b",
        }
        told = json_of(self.ask(entrance, app, {**twice, PREFIX: "/evil, /app, /b"}))
        assert told["seen"] == ["https://a.test/app/", "1.2.3.4"]
        assert told["route"] == ["1.2.3.4", "5.5.5.5"]
        assert json_of(self.ask(entrance, app, SAID))["seen"] == PLAIN  # somebody passed one by

    def test_a_chain_of_networks_may_pass_on_what_the_first_proxy_said(
        self, entrance: Entrance, app: Vial
    ) -> None:
        app.config["TRUSTED_PROXIES"] = ["127.0.0.1", "10.0.0.0/8"]
        chain = {FOR: "6.6.6.6, 1.2.3.4, 10.0.0.7"}
        told = json_of(
            self.ask(entrance, app, {**chain, PROTO: "https", HOST: "evil.test,a.test,b"})
        )
        assert told["seen"] == ["https://a.test/", "1.2.3.4"]

    def test_what_is_malformed_is_not_believed(self, entrance: Entrance, app: Vial) -> None:
        app.config["TRUSTED_PROXIES"] = 1
        wrong = [(FOR, text) for text in NO_ADDRESSES] + [(HOST, text) for text in NO_HOSTS]
        wrong += [(PREFIX, text) for text in NO_PREFIXES]
        wrong += [
            (PROTO, text) for text in ("", "ftp", "https:", "http,", "javascript", "https\x7f")
        ]
        for name, text in wrong:
            told = json_of(self.ask(entrance, app, {name: text}))
            assert told["seen"] == PLAIN and told["kept"] == [], (name, text)

    def test_a_name_with_underscores_is_not_believed(self, entrance: Entrance, app: Vial) -> None:
        if entrance.name == "wsgi":
            pytest.skip("a WSGI server has mixed them up before the app sees them")
        app.config["TRUSTED_PROXIES"] = 1
        spoofed = {name.replace("-", "_", 1): value for name, value in SAID.items()}
        assert json_of(self.ask(entrance, app, spoofed))["seen"] == PLAIN

    def test_the_setting_may_be_wrong(self, entrance: Entrance, app: Vial) -> None:
        for setting in (True, -1, 33, 1.0, "10.0.0.0/8", ["10.0.0.1/8"], ["proxy"], [None]):
            app.config["TRUSTED_PROXIES"] = setting
            with pytest.raises(ValueError, match="TRUSTED_PROXIES"):
                self.ask(entrance, app, SAID)
        app.config["TRUSTED_PROXIES"] = 0
        assert json_of(self.ask(entrance, app, SAID))["seen"] == PLAIN

    def test_the_believed_host_is_the_one_that_is_checked(
        self, entrance: Entrance, app: Vial
    ) -> None:
        app.config.update(TRUSTED_PROXIES=["127.0.0.1"], TRUSTED_HOSTS=["shop.test"])
        assert self.ask(entrance, app, SAID, host="inner").status == 200
        assert self.ask(entrance, app, SAID, host="inner", client="9.9.9.9").status == 400
        bad = {HOST: "evil.test"}
        assert self.ask(entrance, app, bad, host="shop.test").status == 400
        assert self.ask(entrance, app, bad, host="shop.test", client="9.9.9.9").status == 200

    def test_the_cookie_of_a_session_is_secure_where_the_client_speaks_https(
        self, entrance: Entrance, app: Vial
    ) -> None:
        app.config["TRUSTED_PROXIES"] = ["127.0.0.1"]
        app.get("/login")(lambda: session.update(user=1) or "in")
        for client, is_secure in (("127.0.0.1", True), ("9.9.9.9", False)):
            answer = self.ask(entrance, app, {PROTO: "https"}, target="/login", client=client)
            assert ("Secure" in answer["set-cookie"]) == is_secure

    def test_rules_of_hosts_are_those_of_the_believed_host(self, entrance: Entrance) -> None:
        app = Vial("hosts", static_folder=None, host_matching=True, static_host=None)
        app.config["TRUSTED_PROXIES"] = 1
        app.add_url_rule("/", "shop", lambda: "shop", host="shop.test")
        assert self.ask(entrance, app, SAID).text == "shop"
        assert self.ask(entrance, app, {}).status == 404

    def test_middleware_sees_who_really_asks(self, entrance: Entrance, app: Vial) -> None:
        app.config["TRUSTED_PROXIES"] = ["127.0.0.1"]
        inner, seen = app.wsgi_app, []

        def middleware(environ: Any, start_response: Any) -> Any:
            answer = inner(environ, start_response)
            seen.append((environ["REMOTE_ADDR"], environ["HTTP_X_FORWARDED_FOR"]))
            return answer

        app.wsgi_app = middleware
        assert json_of(self.ask(entrance, app, SAID))["seen"][1] == "1.2.3.4"
        assert seen == [("127.0.0.1", "1.2.3.4")]


def json_of(answer: Any) -> Any:
    assert answer.status == 200, answer.text
    return json.loads(answer.text)

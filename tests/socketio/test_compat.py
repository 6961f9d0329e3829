"""The chapters of Flask-SocketIO's documentation as small programs, run there and here."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from functools import wraps
from typing import Any

import pytest
from engineio.packet import Packet as EnginePacket
from socketio.packet import Packet as SocketPacket
from socketio_kits import Kit, Wire, same

pytestmark = pytest.mark.slow  # together, not each

# Initialization


@same
def test_an_app_given_at_once(kit: Kit) -> None:
    app = kit.app()
    socketio = kit.SocketIO(app)
    socketio.on("x")(lambda: "answer")
    kit.note(app.extensions["socketio"] is socketio)
    kit.note(socketio.test_client(app).emit("x", callback=True))


@same
def test_an_app_given_later_by_a_factory(kit: Kit) -> None:
    socketio = kit.SocketIO()
    socketio.on("x")(lambda: "answer")
    socketio.on("y", namespace="/a")(lambda: "answer of a")
    app = kit.app()
    socketio.init_app(app, always_connect=True)
    socketio.on("late")(lambda: "late answer")
    client = socketio.test_client(app)
    client.connect("/a")
    kit.note(client.emit("x", callback=True))
    kit.note(client.emit("late", callback=True))
    kit.note(client.emit("y", callback=True, namespace="/a"))


# Receiving messages


@same
def test_unnamed_events(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.on("message")
    def message(data: Any) -> None:
        kit.note(["message", data])

    @socketio.on("json")
    def handle_json(data: Any) -> None:
        kit.note(["json", data])

    client = socketio.test_client(app)
    client.send("text")
    client.send({"a": [1, None, True, 1.5, "é"]}, json=True)
    client.emit("message", {"an": "object"})


@same
def test_custom_events_with_any_number_of_arguments(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on("my event")(lambda *args: kit.note(args))
    client = socketio.test_client(app)
    client.emit("my event")
    client.emit("my event", 1)
    client.emit("my event", "a", {"b": [2]}, None, False)
    client.emit("my event", [1, 2])


@same
def test_binary_arguments(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.on("bytes")
    def handle(data: Any, more: Any) -> Any:
        kit.io.emit("back", {"data": data, "more": [more, b"\x00\xff"]})
        return data + b"!", {"x": more}

    client = socketio.test_client(app)
    kit.note(client.emit("bytes", b"\x01\x02", b"", callback=True))
    kit.received(client)


@same
def test_names_from_functions(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.event
    def my_event(arg: Any) -> Any:
        return ["plain", arg]

    @socketio.event()
    def called() -> str:
        return "called"

    @socketio.event(namespace="/a")
    def there() -> str:
        return "there"

    @socketio.event("/b")
    def positional() -> str:
        return "positional"

    client = socketio.test_client(app)
    client.connect("/a")
    client.connect("/b")
    kit.note(client.emit("my_event", 1, callback=True))
    kit.note(client.emit("called", callback=True))
    kit.note(client.emit("there", callback=True, namespace="/a"))
    kit.note(client.emit("positional", callback=True, namespace="/b"))
    kit.note(my_event(2))


@same
def test_on_event_is_on_without_decorating(kit: Kit) -> None:
    app, socketio = kit.make()

    def handler(data: Any) -> Any:
        return data

    socketio.on_event("x", handler)
    socketio.on_event("x", handler, namespace="/a")
    client = socketio.test_client(app)
    client.connect("/a")
    kit.note(client.emit("x", 1, callback=True))
    kit.note(client.emit("x", 2, callback=True, namespace="/a"))


@same
def test_namespaces_keep_events_apart(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on("x")(lambda: kit.io.emit("from root"))
    socketio.on("x", namespace="/a")(lambda: kit.io.emit("from a"))
    client = socketio.test_client(app)
    client.connect("/a")
    client.emit("x", namespace="/a")
    kit.received(client)
    kit.received(client, namespace="/a")
    client.emit("x")
    kit.received(client)
    kit.received(client, namespace="/a")


@same
def test_a_later_handler_of_an_event_takes_the_place_of_the_earlier(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on("x")(lambda: 1)
    socketio.on("x")(lambda: 2)
    kit.note(socketio.test_client(app).emit("x", callback=True))


@same
def test_catch_all_handlers(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on("known")(lambda *args: ["known", *args])
    socketio.on("*")(lambda event, *args: ["any", event, *args])
    client = socketio.test_client(app)
    kit.note(client.emit("known", 1, callback=True))
    kit.note(client.emit("other", 1, 2, callback=True))


@same
def test_catch_all_namespaces(kit: Kit) -> None:
    app, socketio = kit.make(namespaces="*")
    socketio.on("x", namespace="*")(lambda *args: [kit.request.namespace, *args])
    client = socketio.test_client(app, namespace="/anything")
    kit.note(client.is_connected("/anything"))
    kit.note(client.emit("x", 1, callback=True, namespace="/anything"))


@same
def test_acknowledgements_of_the_server(kit: Kit) -> None:
    app, socketio = kit.make()
    values = [None, 0, False, "", "text", 1.5, [], [1, 2], {}, {"a": None}, (1,), ("a", 2), ()]
    socketio.on("ask")(lambda number: values[number])
    client = socketio.test_client(app)
    for number in range(len(values)):
        kit.note(client.emit("ask", number, callback=True))
        kit.note(client.emit("ask", number))


@same
def test_messages_are_acknowledged_like_other_events(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on("message")(lambda data: data.upper())
    socketio.on("json")(lambda data: ("one", data))
    client = socketio.test_client(app)
    kit.note(client.send("text", callback=True))
    kit.note(client.send({"a": 1}, json=True, callback=True))


# Sending messages


@same
def test_sending_to_the_client_of_the_event(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.on("go")
    def go() -> None:
        kit.io.send("text")
        kit.io.send({"a": 1}, json=True)
        kit.io.send({"plain": "object"})
        kit.io.emit("named", {"a": 1})
        kit.io.emit("nothing")
        kit.io.emit("tuple", (1, 2))
        kit.io.emit("list", [1, 2])
        kit.io.emit("none", None)
        kit.io.emit("falsy", 0)
        kit.io.emit("empty", "")

    client, other = socketio.test_client(app), socketio.test_client(app)
    client.emit("go")
    kit.received(client, other)


@same
def test_sending_to_another_namespace(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on("x", namespace="/a")(lambda: None)

    @socketio.on("go")
    def go() -> None:
        kit.io.emit("there", 1, namespace="/a", broadcast=True)
        kit.io.send("there too", namespace="/a", broadcast=True)
        kit.io.emit("here", 2)

    client = socketio.test_client(app)
    client.connect("/a")
    client.emit("go")
    kit.received(client)
    kit.received(client, namespace="/a")


@same
def test_a_callback_of_the_client_is_called_with_its_arguments(kit: Kit) -> None:
    app, socketio = kit.make(async_handlers=False)
    done = threading.Event()

    def acknowledged(*args: Any) -> None:
        kit.note(["acknowledged", args, kit.request.namespace, kit.session["n"]])
        kit.io.emit("thanks", {"for": list(args)})
        done.set()

    @socketio.on("go")
    def go() -> None:
        kit.session["n"] = 7
        kit.io.emit("question", {"a": 1}, callback=acknowledged)

    wire = Wire(app)
    wire.send("40")
    kit.note(wire.receive())
    wire.send('42["go"]')
    kit.note(wire.receive())
    wire.send('431["one",2]')
    done.wait(10)
    kit.note(wire.receive())


@same
def test_a_server_waits_for_the_answer_of_a_client(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.on("go")
    def go() -> None:
        kit.io.emit("result", kit.io.call("question", {"a": 1}, timeout=10))

    wire = Wire(app)
    wire.send("40")
    wire.receive()
    wire.send('42["go"]')
    kit.note(wire.receive())
    wire.send('431["one"]')
    kit.note(wire.receive())


@same
def test_a_client_that_does_not_answer_in_time(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.on("go")
    def go() -> None:
        try:
            kit.io.call("question", timeout=0.01)
        except Exception as e:
            kit.io.emit("failed", type(e).__name__)

    wire = Wire(app)
    wire.send("40")
    wire.receive()
    wire.send('42["go"]')
    kit.note(wire.receive(2))


# Broadcasting


@same
def test_broadcasting_from_a_handler(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.on("go")
    def go() -> None:
        kit.io.emit("all", 1, broadcast=True)
        kit.io.emit("others", 2, broadcast=True, include_self=False)
        kit.io.send("text", broadcast=True)
        kit.io.send("others", broadcast=True, include_self=False)
        kit.io.send({"a": 1}, json=True, broadcast=True)

    one, two, three = (socketio.test_client(app) for _ in range(3))
    one.emit("go")
    kit.received(one, two, three)


@same
def test_leaving_clients_out(kit: Kit) -> None:
    app, socketio = kit.make()
    sids: list[str] = []
    socketio.on("connect")(lambda: sids.append(kit.request.sid))

    @socketio.on("go")
    def go() -> None:
        kit.io.emit("not one", broadcast=True, skip_sid=sids[0])
        kit.io.emit("not two, three", broadcast=True, skip_sid=sids[1:])
        kit.io.send("not three", broadcast=True, skip_sid=sids[2])
        kit.io.emit("skipping wins", broadcast=True, include_self=False, skip_sid=sids[1])

    clients = [socketio.test_client(app) for _ in range(3)]
    clients[0].emit("go")
    kit.received(*clients)


@same
def test_the_server_as_the_origin(kit: Kit) -> None:
    app, socketio = kit.make()
    sids: list[str] = []
    socketio.on("connect")(lambda: sids.append(kit.request.sid))
    socketio.on("x", namespace="/a")(lambda: None)
    one, two = socketio.test_client(app), socketio.test_client(app)
    two.connect("/a")
    socketio.emit("all", {"a": 1})
    socketio.emit("nothing")
    socketio.send("text")
    socketio.send({"b": 2}, json=True)
    socketio.emit("one", 1, to=sids[0])
    socketio.emit("one by room", 1, room=sids[0])
    socketio.emit("not one", 2, skip_sid=sids[0])
    socketio.send("only two", to=sids[1])
    socketio.emit("a", 3, namespace="/a")
    socketio.send("a", namespace="/a")
    kit.received(one, two)
    kit.received(two, namespace="/a")


@same
def test_a_view_as_the_origin(kit: Kit) -> None:
    app, socketio = kit.make()

    @app.route("/announce")
    def announce() -> str:
        socketio.emit("announcement", {"text": "tea"})
        kit.io.emit("by function", broadcast=True, namespace="/")
        return "done"

    client = socketio.test_client(app)
    kit.note(app.test_client().get("/announce").get_data(as_text=True))
    client.emit("x", callback=True)
    kit.received(client)


@same
def test_functions_need_the_client_of_an_event(kit: Kit) -> None:
    app, _ = kit.make()
    kit.refused(kit.io.emit, "x")
    with app.test_request_context():
        for function in (kit.io.rooms, kit.io.disconnect):
            try:
                function()
            except Exception:
                kit.note("raised")


# Rooms


@same
def test_rooms_are_joined_addressed_and_left(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.on("join")
    def join(room: Any) -> None:
        kit.io.join_room(room)
        kit.io.send("somebody came", to=room)

    @socketio.on("leave")
    def leave(room: Any) -> None:
        kit.io.leave_room(room)
        kit.io.send("somebody went", to=room)

    @socketio.on("say")
    def say(room: Any) -> None:
        kit.io.emit("said", 1, to=room)
        kit.io.emit("said", 2, room=room)
        kit.io.emit("said", 3, to=room, include_self=False)

    one, two, three = (socketio.test_client(app) for _ in range(3))
    one.emit("join", "tea")
    two.emit("join", "tea")
    three.emit("join", 7)
    kit.received(one, two, three)
    one.emit("say", "tea")
    three.emit("say", "tea")
    one.emit("say", ["tea", 7])
    kit.received(one, two, three)
    one.emit("leave", "tea")
    one.emit("leave", "never entered")
    kit.received(one, two, three)


@same
def test_what_rooms_tells(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.on("tour")
    def tour() -> None:
        own = kit.request.sid
        kit.note(kit.io.rooms() == [own])
        kit.io.join_room("tea")
        kit.io.join_room("rum")
        kit.io.join_room("tea")
        kit.note(sorted(r for r in kit.io.rooms() if r != own))
        kit.note(kit.io.rooms(own, "/") == kit.io.rooms(sid=own, namespace="/"))
        kit.io.leave_room("tea")
        kit.note(sorted(r for r in kit.io.rooms() if r != own))
        kit.io.close_room("rum")
        kit.note(kit.io.rooms() == [own])

    socketio.test_client(app).emit("tour")


@same
def test_rooms_of_other_clients_and_namespaces(kit: Kit) -> None:
    app, socketio = kit.make()
    sids: list[str] = []
    socketio.on("connect", namespace="/a")(lambda: sids.append(kit.request.sid))

    @socketio.on("go")
    def go() -> None:
        kit.io.join_room("tea", sid=sids[1], namespace="/a")
        kit.io.emit("to tea", to="tea", namespace="/a")
        kit.io.emit("to root's tea", to="tea")
        kit.io.leave_room("tea", sid=sids[1], namespace="/a")
        kit.io.emit("too late", to="tea", namespace="/a")
        kit.io.join_room("rum", sid=sids[0], namespace="/a")
        kit.io.close_room("rum", namespace="/a")
        kit.io.emit("closed", to="rum", namespace="/a")

    one, two = (socketio.test_client(app, namespace="/a") for _ in range(2))
    one.connect()
    one.emit("go")
    kit.received(one, two, namespace="/a")
    kit.received(one)


@same
def test_a_room_is_closed_by_the_server(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on("join")(lambda: kit.io.join_room("tea"))
    client = socketio.test_client(app)
    client.emit("join")
    socketio.emit("before", to="tea")
    socketio.close_room("tea")
    socketio.emit("after", to="tea")
    kit.received(client)


@same
def test_a_client_that_left_is_in_no_room(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on("join")(lambda: kit.io.join_room("tea"))
    one, two = socketio.test_client(app), socketio.test_client(app)
    one.emit("join")
    two.emit("join")
    one.disconnect()
    socketio.emit("x", to="tea")
    kit.received(two)
    one.connect()
    socketio.emit("y", to="tea")
    kit.note([event["name"] for event in one.get_received() if event["name"] == "y"])


# Connection events


@same
def test_connecting_and_disconnecting(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.on("connect")
    def connect(auth: Any) -> None:
        kit.note(["connect", auth, kit.request.namespace])
        kit.io.emit("welcome", auth)

    @socketio.on("disconnect")
    def disconnect(reason: Any) -> None:
        kit.note(["disconnect", reason])

    client = socketio.test_client(app, auth={"token": "t"})
    kit.received(client)
    kit.note(client.is_connected())
    client.disconnect()
    kit.note(client.is_connected())
    client.connect(auth={"token": "u"})
    kit.note(client.is_connected())


@same
def test_connection_handlers_without_arguments(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on("connect")(lambda: kit.note("connect"))
    socketio.on("disconnect")(lambda *args: kit.note("disconnect"))
    client = socketio.test_client(app, auth={"token": "t"})
    client.disconnect()


@same
def test_a_connection_is_refused(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on("connect", namespace="/false")(lambda: False)
    socketio.on("disconnect", namespace="/false")(lambda *args: kit.note("disconnect"))

    @socketio.on("connect", namespace="/error")
    def refuse() -> None:
        raise kit.io.ConnectionRefusedError("unauthorized!")

    socketio.on("connect", namespace="/none")(lambda: None)
    for namespace in ("/false", "/error", "/none"):
        client = socketio.test_client(app, namespace=namespace)
        kit.note(client.is_connected(namespace))
        kit.refused(client.emit, "x", namespace="/false")


@same
def test_what_a_refused_client_is_told(kit: Kit) -> None:
    app, socketio = kit.make(async_handlers=False)
    refusals = {
        "/false": (),
        "/text": ("who are you?",),
        "/object": ("no", {"code": 7}),
        "/several": ("no", 1, 2),
        "/number": (5,),
    }
    for namespace, arguments in refusals.items():

        @socketio.on("connect", namespace=namespace)
        def refuse(arguments: Any = arguments, namespace: str = namespace) -> Any:
            args = refusals[kit.request.namespace]
            if not args:
                return False
            raise kit.io.ConnectionRefusedError(*args)

        wire = Wire(app)
        wire.send(f"40{namespace},")
        kit.note(wire.receive())


@same
def test_a_namespace_that_nobody_handles_is_refused(kit: Kit) -> None:
    app, socketio = kit.make(async_handlers=False)
    socketio.on("x", namespace="/a")(lambda: None)
    wire = Wire(app)
    wire.send("40/nowhere,")
    kit.note([packet[:11] for packet in wire.receive()])  # what it is told differs
    wire.send("40/a,")
    kit.note(wire.receive())


@same
def test_namespaces_that_are_accepted_without_handlers(kit: Kit) -> None:
    app, socketio = kit.make(namespaces=["/", "/b"])
    kit.note(socketio.test_client(app).is_connected())
    kit.note(socketio.test_client(app, namespace="/b").is_connected("/b"))


@same
def test_a_connection_that_is_accepted_before_it_is_asked(kit: Kit) -> None:
    app, socketio = kit.make(always_connect=True, async_handlers=False)

    @socketio.on("connect")
    def connect() -> bool:
        kit.io.emit("early", 1)
        return False

    wire = Wire(app)
    wire.send("40")
    kit.note([packet[:9] for packet in wire.receive(3)])


@same
def test_the_server_ends_a_connection(kit: Kit) -> None:
    app, socketio = kit.make()
    sids: list[str] = []
    socketio.on("connect")(lambda: sids.append(kit.request.sid))
    socketio.on("disconnect")(lambda reason: kit.note(["disconnect", reason]))
    socketio.on("leave")(lambda: kit.io.disconnect())
    socketio.on("kick")(lambda number: kit.io.disconnect(sid=sids[number], namespace="/"))
    clients = [socketio.test_client(app) for _ in range(3)]
    clients[0].emit("leave")
    clients[1].emit("kick", 2)
    kit.note([client.is_connected() for client in clients])
    kit.refused(clients[0].get_received)


# Class-based namespaces


@same
def test_a_class_for_a_namespace(kit: Kit) -> None:
    class Custom(kit.io.Namespace):  # type: ignore[name-defined, misc]
        def on_connect(self, auth: Any) -> None:
            kit.note(["connect", auth])

        def on_disconnect(self, reason: Any) -> None:
            kit.note(["disconnect", reason])

        def on_my_event(self, data: Any) -> Any:
            kit.io.emit("my_response", data)
            return ["answer", data, self.namespace, kit.request.namespace]

        def on_message(self, text: Any) -> None:
            self.send(text.upper())

        def helper(self) -> None:
            kit.note("never an event")

    app, socketio = kit.make()
    socketio.on_namespace(Custom("/test"))
    client = socketio.test_client(app, namespace="/test", auth={"a": 1})
    kit.note(client.emit("my_event", {"x": 1}, callback=True, namespace="/test"))
    client.send("text", namespace="/test")
    client.emit("helper", namespace="/test")
    client.emit("unknown", namespace="/test")
    kit.received(client, namespace="/test")
    client.disconnect("/test")


@same
def test_the_methods_of_a_class_for_a_namespace(kit: Kit) -> None:
    class Custom(kit.io.Namespace):  # type: ignore[name-defined, misc]
        def on_tour(self) -> None:
            sid = kit.request.sid
            self.enter_room(sid, "tea")
            self.emit("to tea", {"a": 1}, room="tea")
            self.emit("to others", include_self=False)
            self.send("to all")
            self.send("to tea", room="tea", include_self=False)
            kit.note(sorted(room for room in self.rooms(sid) if room != sid))
            self.leave_room(sid, "tea")
            self.emit("too late", room="tea")
            self.enter_room(sid, "rum")
            self.close_room("rum")
            self.emit("closed", room="rum")
            self.emit("elsewhere", 1, namespace="/other")

        def on_leave(self) -> None:
            self.disconnect(kit.request.sid)

    app, socketio = kit.make()
    socketio.on_namespace(Custom("/test"))
    socketio.on("x", namespace="/other")(lambda: None)
    one, two = (socketio.test_client(app, namespace="/test") for _ in range(2))
    two.connect("/other")
    one.emit("tour", namespace="/test")
    kit.received(one, two, namespace="/test")
    kit.received(two, namespace="/other")
    one.emit("leave", namespace="/test")
    kit.note([one.is_connected("/test"), two.is_connected("/test")])


@same
def test_functions_come_before_a_class_for_the_same_namespace(kit: Kit) -> None:
    class Custom(kit.io.Namespace):  # type: ignore[name-defined, misc]
        def on_x(self) -> str:
            return "class"

        def on_y(self) -> str:
            return "class"

    app, socketio = kit.make()
    socketio.on_namespace(Custom("/test"))
    socketio.on("x", namespace="/test")(lambda: "function")
    client = socketio.test_client(app, namespace="/test")
    kit.note(client.emit("x", callback=True, namespace="/test"))
    kit.note(client.emit("y", callback=True, namespace="/test"))


@same
def test_a_class_for_the_default_namespace_given_before_the_app(kit: Kit) -> None:
    class Custom(kit.io.Namespace):  # type: ignore[name-defined, misc]
        def on_x(self) -> str:
            return "class"

    socketio = kit.SocketIO()
    socketio.on_namespace(Custom())
    app = kit.app()
    socketio.init_app(app)
    kit.note(socketio.test_client(app).emit("x", callback=True))
    kit.refused(socketio.on_namespace, Custom)
    kit.refused(socketio.on_namespace, "/x")


@same
def test_a_class_with_a_dispatch_of_its_own(kit: Kit) -> None:
    class Custom(kit.io.Namespace):  # type: ignore[name-defined, misc]
        def trigger_event(self, event: str, *args: Any) -> Any:
            kit.note(["before", event])
            if event == "made up":
                return ["made up", *args[1:]]
            result = super().trigger_event(event.replace(" ", "_"), *args)
            kit.note(["after", result])
            return result

        def on_my_event(self, data: Any) -> Any:
            return data

    app, socketio = kit.make()
    socketio.on_namespace(Custom("/test"))
    client = socketio.test_client(app, namespace="/test")
    kit.note(client.emit("my event", 1, callback=True, namespace="/test"))
    kit.note(client.emit("made up", 2, callback=True, namespace="/test"))
    client.disconnect("/test")


@same
def test_methods_that_a_class_gets_later(kit: Kit) -> None:
    class Custom(kit.io.Namespace):  # type: ignore[name-defined, misc]
        def __init__(self, namespace: str) -> None:
            super().__init__(namespace)
            self.on_late = lambda data: ["late", data]

    app, socketio = kit.make()
    socketio.on_namespace(Custom("/test"))
    client = socketio.test_client(app, namespace="/test")
    kit.note(client.emit("late", 1, callback=True, namespace="/test"))


@same
def test_a_class_with_an_error_method(kit: Kit) -> None:
    class Custom(kit.io.Namespace):  # type: ignore[name-defined, misc]
        def on_x(self) -> None:
            raise ValueError("oops")

        def error(self, error: Exception) -> str:
            return f"method: {error}"

    app, socketio = kit.make()
    socketio.on_namespace(Custom("/test"))
    client = socketio.test_client(app, namespace="/test")
    kit.note(client.emit("x", callback=True, namespace="/test"))
    socketio.on_error("/test")(lambda error: f"handler: {error}")
    kit.note(client.emit("x", callback=True, namespace="/test"))


# Error handling


@same
def test_error_handlers_by_namespace(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.on_error()
    def root(error: Exception) -> Any:
        return ["root", str(error), kit.request.event["message"], list(kit.request.event["args"])]

    @socketio.on_error("/chat")
    def chat(error: Exception) -> Any:
        return ["chat", str(error)]

    @socketio.on_error_default
    def default(error: Exception) -> Any:
        return ["default", str(error)]

    def fail(*args: Any) -> None:
        raise ValueError("oops")

    client = socketio.test_client(app)
    for namespace in ("/", "/chat", "/other"):
        socketio.on("fail", namespace=namespace)(fail)
        if namespace != "/":
            client.connect(namespace)
        kit.note(client.emit("fail", 1, callback=True, namespace=namespace))


@same
def test_error_handlers_must_be_callable(kit: Kit) -> None:
    _, socketio = kit.make()
    kit.refused(socketio.on_error_default, "text")
    kit.refused(socketio.on_error("/"), None)


@same
def test_an_error_without_a_handler_is_raised_by_the_test_client(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.on("fail")
    def fail() -> None:
        raise ValueError("oops")

    client = socketio.test_client(app)
    kit.refused(client.emit, "fail")
    kit.refused(client.emit, "fail", callback=True)
    kit.note(client.is_connected())


@same
def test_wrong_numbers_of_arguments_reach_the_error_handler(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on_error_default(lambda error: ["error", isinstance(error, TypeError)])
    socketio.on("two")(lambda a, b: [a, b])
    client = socketio.test_client(app)
    kit.note(client.emit("two", 1, 2, callback=True))
    kit.note(client.emit("two", 1, callback=True))
    kit.note(client.emit("two", 1, 2, 3, callback=True))


# Flask's context globals


@same
def test_the_request_of_an_event(kit: Kit) -> None:
    app, socketio = kit.make()

    @socketio.on("x", namespace="/a")
    def x(*args: Any) -> Any:
        request = kit.request
        event = {**request.event, "args": list(request.event["args"])}
        header = request.headers.get("X-Test")
        return [request.namespace, event, dict(request.args), header, request.method]

    for query in ("?a=1&b=2", "a=1"):
        client = socketio.test_client(app, "/a", query_string=query, headers={"X-Test": "yes"})
        kit.note(client.emit("x", 1, {"b": 2}, callback=True, namespace="/a"))


@same
def test_the_request_comes_from_where_the_test_client_comes_from(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on("x")(lambda: [kit.request.remote_addr, kit.request.headers.get("Cookie")])
    http = app.test_client()
    http.set_cookie("a", "1")
    kit.note(socketio.test_client(app).emit("x", callback=True))
    kit.note(socketio.test_client(app, flask_test_client=http).emit("x", callback=True))


@same
def test_app_contexts_and_g(kit: Kit) -> None:
    app, socketio = kit.make()
    app.teardown_appcontext(lambda error: kit.note("teardown"))
    app.before_request(lambda: kit.note("never for an event"))

    @socketio.on("x")
    def x() -> Any:
        seen = kit.web.g.get("n", 0)
        kit.web.g.n = 1
        return [kit.web.current_app.name, seen, kit.web.has_request_context()]

    client = socketio.test_client(app)
    kit.note(client.emit("x", callback=True))
    kit.note(client.emit("x", callback=True))


@same
def test_the_session_of_a_connection_is_a_fork(kit: Kit) -> None:
    app, socketio = kit.make()

    @app.route("/login/<name>")
    def login(name: str) -> Any:
        kit.session["name"] = name
        return {key: kit.session[key] for key in sorted(kit.session)}

    @socketio.on("get")
    def get() -> Any:
        return dict(kit.session)

    socketio.on("set")(lambda value: kit.session.update(value=value))
    http = app.test_client()
    http.get("/login/ada")
    client = socketio.test_client(app, flask_test_client=http)
    kit.note(client.emit("get", callback=True))
    client.emit("set", 1)
    kit.note(client.emit("get", callback=True))
    http.get("/login/bob")
    kit.note(client.emit("get", callback=True))
    kit.note(http.get("/login/eve").json)
    kit.note(socketio.test_client(app, flask_test_client=http).emit("get", callback=True))


class Stored(dict[str, Any]):
    """A session of a store in memory, which counts how often it was saved."""

    modified = accessed = new = permanent = False

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self.modified = True


def with_a_store(kit: Kit, app: Any) -> dict[str, Any]:
    store: dict[str, Any] = {}
    base: Any = type(app.session_interface).__mro__[1]

    class Interface(base):
        def open_session(self, app: Any, request: Any) -> Any:
            return Stored(store.get(request.cookies.get("sid", "none"), {}))

        def save_session(self, app: Any, session: Any, response: Any) -> None:
            store[kit.request.cookies.get("sid", "none")] = dict(session)
            response.set_cookie("sid", kit.request.cookies.get("sid", "none"))

    app.session_interface = Interface()
    return store


@same
def test_a_session_on_the_server_is_shared_with_pages(kit: Kit) -> None:
    app, socketio = kit.make(manage_session=False)
    with_a_store(kit, app)

    @app.route("/set/<name>/<value>")
    def put(name: str, value: str) -> Any:
        kit.session[name] = value
        return dict(kit.session)

    @socketio.on("set")
    def put_by_event(name: str, value: str) -> Any:
        kit.session[name] = value
        return dict(kit.session)

    socketio.on("get")(lambda: dict(kit.session))
    http = app.test_client()
    http.set_cookie("sid", "one")
    client = socketio.test_client(app, flask_test_client=http)
    kit.note(http.get("/set/name/ada").json)
    kit.note(client.emit("get", callback=True))
    kit.note(client.emit("set", "visits", "1", callback=True))
    kit.note(http.get("/set/name/bob").json)
    kit.note(client.emit("get", callback=True))


@same
def test_a_cookie_session_that_is_not_managed_stays_that_of_the_handshake(kit: Kit) -> None:
    app, socketio = kit.make(manage_session=False)

    @app.route("/login")
    def login() -> str:
        kit.session["name"] = "ada"
        return ""

    @socketio.on("count")
    def count() -> Any:
        kit.session["n"] = kit.session.get("n", 0) + 1
        return dict(kit.session)

    http = app.test_client()
    http.get("/login")
    client = socketio.test_client(app, flask_test_client=http)
    kit.note(client.emit("count", callback=True))
    kit.note(client.emit("count", callback=True))


# Authentication


@same
def test_a_decorator_that_disconnects_who_is_not_logged_in(kit: Kit) -> None:
    app, socketio = kit.make()

    def authenticated_only(function: Any) -> Any:
        @wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if "user" not in kit.session:
                kit.io.disconnect()
                return None
            return function(*args, **kwargs)

        return wrapped

    @app.route("/login")
    def login() -> str:
        kit.session["user"] = "ada"
        return ""

    @socketio.on("my event")
    @authenticated_only
    def handle(data: Any) -> Any:
        return [kit.session["user"], data]

    stranger = socketio.test_client(app)
    kit.note(stranger.emit("my event", 1, callback=True))
    kit.note(stranger.is_connected())
    http = app.test_client()
    http.get("/login")
    user = socketio.test_client(app, flask_test_client=http)
    kit.note(user.emit("my event", 1, callback=True))
    kit.note(user.is_connected())


# Background work


@same
def test_background_tasks(kit: Kit) -> None:
    app, socketio = kit.make()

    def work(a: int, b: int = 0) -> None:
        socketio.sleep(0.001)
        socketio.emit("done", a + b)

    client = socketio.test_client(app)
    socketio.start_background_task(work, 1, b=2).join()
    client.emit("x", callback=True)  # what was emitted before has arrived
    kit.received(client)


# Options that clients see


@same
def test_the_handshake_tells_the_options(kit: Kit) -> None:
    for options in (
        {},
        {"ping_interval": 7, "ping_timeout": 3, "max_http_buffer_size": 99},
        {"ping_interval": (8, 2)},
        {"allow_upgrades": False},
    ):
        app, _ = kit.make(**options)
        handshake = Wire(app).handshake
        names = ("pingInterval", "pingTimeout", "maxPayload")
        kit.note([handshake[name] for name in names])
        kit.note(handshake["upgrades"] if options.get("allow_upgrades") is False else None)


@same
def test_the_path_can_be_changed(kit: Kit) -> None:
    for name in ("path", "resource"):
        for path in ("/custom/io", "custom/io"):
            app, _ = kit.make(**{name: path})
            http = app.test_client()
            kit.note(http.get("/custom/io/?EIO=4&transport=polling").status_code)
            kit.note(http.get("/socket.io/?EIO=4&transport=polling").status_code)


@same
def test_cookies_of_the_handshake(kit: Kit) -> None:
    given: tuple[Any, ...] = (
        None,
        "io",
        {"name": "sio", "path": "/chat", "SameSite": "Strict", "httponly": True},
    )
    for cookie in given:
        app, _ = kit.make(cookie=cookie)
        wire = Wire(app)
        sid = wire.handshake["sid"]
        kit.note([c.replace(sid, "...") for c in wire.reply.headers.getlist("Set-Cookie")])


@same
def test_polled_answers_are_compressed(kit: Kit) -> None:
    for options in ({}, {"http_compression": False}, {"compression_threshold": 10}):
        app, _ = kit.make(**options)
        reply = Wire.__new__(Wire)
        http = app.test_client()
        reply = http.get(
            "/socket.io/?EIO=4&transport=polling", headers={"Accept-Encoding": "gzip, deflate"}
        )
        kit.note(reply.headers.get("Content-Encoding"))


@pytest.fixture
def json_of_before() -> Iterator[None]:
    """Flask-SocketIO's ``json`` is for the whole process."""
    saved = SocketPacket.json, EnginePacket.json
    yield
    SocketPacket.json, EnginePacket.json = saved


@pytest.mark.usefixtures("json_of_before")
@same
def test_a_json_of_its_own(kit: Kit) -> None:
    class Json:
        @staticmethod
        def dumps(data: Any, **kwargs: Any) -> str:
            return json.dumps(data, **kwargs).replace("tea", "TEA")

        @staticmethod
        def loads(text: Any, **kwargs: Any) -> Any:
            return json.loads(text, **kwargs)

    app, socketio = kit.make(json=Json, async_handlers=False)
    socketio.on("x")(lambda text: kit.io.emit("y", text))
    wire = Wire(app)
    wire.send("40")
    wire.receive()
    wire.send('42["x","tea"]')
    kit.note(wire.receive())


@pytest.mark.usefixtures("json_of_before")
@same
def test_the_json_of_the_app(kit: Kit) -> None:
    app, socketio = kit.make(json=kit.web.json, async_handlers=False)
    socketio.on("x")(lambda: kit.io.emit("y", {"id": uuid.UUID(int=1)}))
    wire = Wire(app)
    wire.send("40")
    wire.receive()
    wire.send('42["x"]')
    kit.note(wire.receive())


@same
def test_origins_of_other_sites(kit: Kit) -> None:
    for options in (
        {},
        {"cors_allowed_origins": "*"},
        {"cors_allowed_origins": "https://a.test"},
        {"cors_allowed_origins": ["https://a.test", "https://b.test"]},
        {"cors_allowed_origins": lambda origin: origin == "https://c.test"},
        {"cors_allowed_origins": ["https://a.test"], "cors_credentials": False},
    ):
        app, _ = kit.make(**options)
        for origin in ("https://a.test", "https://b.test", "https://c.test"):
            headers = {"Origin": origin}
            reply = app.test_client().get("/socket.io/?EIO=4&transport=polling", headers=headers)
            kit.note(reply.status_code == 200)
            if options.get("cors_allowed_origins") != "*":
                kit.note(reply.headers.get("Access-Control-Allow-Origin"))
                kit.note(reply.headers.get("Access-Control-Allow-Credentials"))


# The test client


@same
def test_a_test_client_of_a_namespace(kit: Kit) -> None:
    app, socketio = kit.make()
    socketio.on("x", namespace="/a")(lambda: kit.io.emit("y", 1))
    client = socketio.test_client(app, namespace="/a")
    kit.note([client.is_connected(), client.is_connected("/"), client.is_connected("/a")])
    kit.refused(client.emit, "x")
    kit.refused(client.get_received)
    kit.refused(client.disconnect)
    client.emit("x", namespace="/a")
    kit.note(client.get_received("/a"))
    kit.note(client.get_received("/a"))
    client.disconnect("/a")
    kit.note(client.is_connected("/a"))
    kit.refused(client.disconnect, "/a")


@same
def test_a_test_client_gives_what_it_received_once(kit: Kit) -> None:
    app, socketio = kit.make()
    client = socketio.test_client(app)
    socketio.emit("x", 1)
    socketio.emit("x", {"a": b"\x01"})
    kit.received(client)
    kit.received(client)

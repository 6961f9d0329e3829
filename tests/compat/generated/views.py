"""Rules and the views behind them: functions and classes, registered in every way there is."""

from __future__ import annotations

from .author import Author, Owner, Route, block
from .pieces import ANSWERS, STATEMENTS

STATIC = ["a", "b", "foo", "", "é", "日", "a b"]
DYNAMIC = ["<{}>", "<int:{}>", "<string(length=2):{}>", "<int(min=2, max=50):{}>", "<float:{}>"]
DYNAMIC += ["<path:{}>", "<any(a, b):{}>", "<uuid:{}>", "<even:{}>", "<list:{}>", "v<int:{}>"]
DYNAMIC += ["<int(signed=True):{}>", "<{}>.txt"]
METHOD_LISTS = [["GET"], ["GET", "POST"], ["POST"], ["PUT", "get"], ["OPTIONS"], ["HEAD", "DELETE"]]
METHOD_LISTS += [["GET", "OPTIONS"], ["PROPFIND", "PATCH"], []]
CLASS_METHODS = [["get"], ["get", "post"], ["get", "put", "delete"], ["head", "get"], ["post"]]
DEFAULTS = ["{'x': 7}", "{'y': 'a'}", "{'x': 'a', 'y': 1}", "{'z': None}", "{}"]
REDIRECTS = ['"/a"', '"b"', 'lambda adapter, **values: "/foo?" + ",".join(sorted(values))']
OPTIONS: list[tuple[int, list[str]]] = [
    (12, [f"defaults={defaults}" for defaults in DEFAULTS]),
    (8, ["strict_slashes=False", "strict_slashes=True", "merge_slashes=False"]),
    (4, [f"redirect_to={target}" for target in REDIRECTS]),
    (6, ["provide_automatic_options=False", "provide_automatic_options=True"]),
    (3, ["websocket=False", "websocket=True", "build_only=True", "alias=True"]),
]
ATTRIBUTES = [
    '{}.methods = ["POST", "GET"]',
    '{}.required_methods = ["PUT"]',
    '{}.required_methods = ["options", "GET"]',
    "{}.provide_automatic_options = False",
    "{}.provide_automatic_options = True",
    "{}.methods = None",
]
CLASS_ATTRIBUTES = [
    "init_every_request = False",
    "init_every_request = False",
    'decorators = [tagged("a"), tagged("b")]',
    "decorators = [marked, sneaky]",
    'methods = ["GET", "PUT"]',
    "provide_automatic_options = False",
    "n = 0",
]


def view(a: Author, owner: Owner) -> None:
    """Write a view with a rule."""
    a.choose(FORMS)(a, owner, *make_rule(a, owner))


def make_rule(a: Author, owner: Owner) -> tuple[str, list[str], Route]:
    names = ["x", "y", "z"]
    parts = [
        a.choose(DYNAMIC).format(name) if a.chance(45) else a.choose(STATIC)
        for name in names[: a.below(3)]
    ]
    rule = "/" + "/".join(parts) + ("/" if a.chance(25) else "")
    options = []
    methods = ["GET"]
    if a.chance(35):
        methods = a.pick(METHOD_LISTS)
        options.append(f"methods={methods}")
    for percent, option in OPTIONS:
        if a.chance(percent):
            options.append(str(a.pick(option)))
    host = owner.subdomain
    if a.host_matching and a.chance(60):
        host = a.pick(["localhost", "<host>", "other.test"])
        options.append(f"host={host!r}")
    elif a.subdomain_matching and a.chance(20):
        host = a.pick(["www", "<sub>", ""])
        options.append(f"subdomain={host!r}")
    return rule, options, Route(owner.under(rule), owner.name, methods, host)


def body_of(a: Author, name: str, *statements: str) -> list[str]:
    ends = a.choose(ANSWERS)
    a.kinds[name] = ends.__name__
    statements += tuple(a.some(STATEMENTS, 3))
    return [f'web.note("view", "{name}", values)', *statements, ends(a)]


def decorated(a: Author, owner: Owner, rule: str, options: list[str], route: Route) -> None:
    name = endpoint = a.name("view")
    if a.chance(10):
        endpoint = a.pick(["index", "view1", f"own_{name}"])
        options = [f"endpoint={endpoint!r}", *options]
    decorator = "route"
    if a.chance(25) and not any(option.startswith("methods") for option in options):
        decorator = a.pick(["get", "post", "put", "delete", "patch"])
        route.methods = [decorator.upper()]
    parameters = "**values" if a.chance(92) else "x=1"
    body = body_of(a, name)
    if parameters != "**values":
        body[0] = f'web.note("view", "{name}", x)'
    a.write(f"@{owner.variable}.{decorator}({', '.join([repr(rule), *options])})")
    function = a.function(name, parameters, body)
    # Around an async function it would make one whose coroutine nobody awaits.
    a.write(*(["@marked"] if a.chance(10) and function.startswith("def") else []), function)
    publish(a, route, endpoint)


def added(a: Author, owner: Owner, rule: str, options: list[str], route: Route) -> None:
    name = endpoint = a.name("view")
    function = a.function(name, "**values", body_of(a, name))
    a.write(function)
    a.write(*(line.format(name) for line in a.some(ATTRIBUTES, 1)))
    view = name
    if a.chance(15):
        endpoint = a.pick(["index", f"own_{name}"])
        # Of an async function it would make one whose coroutine nobody awaits.
        hidden = name if function.startswith("async") else f"sneaky({name})"
        view = a.choose([name, hidden, "None"])
        options = [repr(endpoint), view, *options]
    else:
        options = [f"view_func={view}", *options]
    a.write(f"web.attempt({owner.variable}.add_url_rule, {', '.join([repr(rule), *options])})")
    publish(a, route, endpoint)
    if a.chance(12):
        other = f'"/other/{name}"'
        a.write(f"web.attempt({owner.variable}.add_url_rule, {other}, view_func={name})")
        publish(a, Route(owner.under(other[1:-1]), owner.name, ["GET"], route.host), name)
    if view == "None" and a.chance(50):
        a.write(f"{owner.variable}.endpoint({endpoint!r})({name})")


def publish(a: Author, route: Route, endpoint: str) -> None:
    route.endpoint += endpoint
    a.routes.append(route)


def method_view(a: Author, owner: Owner, rule: str, options: list[str], route: Route) -> None:
    name = a.name("Page")
    methods = a.choose(CLASS_METHODS)
    functions = [a.function(m, "self, **values", body_of(a, name, *counts(a))) for m in methods]
    if a.chance(60):
        options = [option for option in options if not option.startswith("methods")]
        route.methods = [method.upper() for method in methods]
    write_class(a, f"class {name}(web.views.MethodView):", functions)
    add_class(a, owner, name, rule, options, route)


def class_view(a: Author, owner: Owner, rule: str, options: list[str], route: Route) -> None:
    name = a.name("Page")
    function = a.function("dispatch_request", "self, **values", body_of(a, name, *counts(a)))
    write_class(a, f"class {name}(web.views.View):", [function])
    add_class(a, owner, name, rule, options, route)


def write_class(a: Author, head: str, functions: list[str]) -> None:
    attributes = list(dict.fromkeys(a.some(CLASS_ATTRIBUTES, 2)))
    a.write(head, block([*attributes, *functions]))


def counts(a: Author) -> list[str]:
    """Statements that tell whether an object serves several requests."""
    return ['self.n = getattr(self, "n", 0) + 1', 'web.note("n", self.n)'] if a.chance(30) else []


def add_class(
    a: Author, owner: Owner, name: str, rule: str, options: list[str], route: Route
) -> None:
    view = f'{name}.as_view("{name.lower()}")'
    arguments = ", ".join([repr(rule), f"view_func={view}", *options])
    a.write(f"web.attempt({owner.variable}.add_url_rule, {arguments})")
    publish(a, route, name.lower())


FORMS = [decorated, decorated, added, method_view, class_view]

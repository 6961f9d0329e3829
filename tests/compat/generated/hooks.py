"""Hooks, handlers, receivers and tools of templates."""

from __future__ import annotations

from ..harness import SIGNALS
from .author import Author, Owner, Piece, block
from .pieces import (
    HARMLESS,
    RESPONSE_CHANGES,
    STATEMENTS,
    answer,
    raises,
    returns,
    returns_tuple,
)

HANDLED = ["404", "405", "500", "Exception", "Oops", "http.HTTPException", "Exception", "TypeError"]
HANDLED += ["400", "KeyError", "403", "410", "413", "http.NotFound", "LookupError", "Deeper", "Odd"]
HANDLED += ["NoCode", "Teapot", "418", "http.InternalServerError", "ArithmeticError"]
HANDLED += ["RuntimeError", "http.BadRequestKeyError"]
NOT_HANDLED = ["308", "GeneratorExit", "999", "BaseException", "Oops()"]
PREPROCESSING: list[Piece] = [
    "pass",
    'values and values.setdefault("extra", 1)',
    "web.g.x = endpoint",
    'web.request.view_args = {"x": "replaced"}',
]
HANDLING: list[Piece] = [
    "return e",
    "return e.get_response()",
    "return type(e).__name__, 500",
    raises,
    "raise e",
    "raise",
    'return {"error": getattr(e, "name", "none"), "code": getattr(e, "code", 0)}',
    "return None",
]
BEFORE_TEARDOWN = tuple(n for n in SIGNALS if "tearing" not in n and "appcontext" not in n)


def hooks(a: Author, owner: Owner) -> None:
    """Write up to five hooks and handlers."""
    if owner.is_app:
        teardown_that_raises(a)
    for _ in range(a.below(6)):
        a.choose(KINDS)(a, owner)


def decorator(a: Author, owner: Owner, name: str) -> str:
    """A decorator of this name, on blueprints sometimes the one for the whole app."""
    is_tool = name.startswith("template_")
    if not owner.is_app and (is_tool or a.chance(35)):
        before, _, after = name.partition("_")
        name = f"{before}_app_{after}" if after == "request" else f"app_{name}"
    return f"@{owner.variable}.{name}"


def before(a: Author, owner: Owner) -> None:
    name = a.name("before")
    body = [f'web.note("hook", "{name}")', *a.some(STATEMENTS, 1)]
    if a.chance(60):
        body.append(a.gate(name, [answer(a)]))
    elif a.chance(5):
        body.append(a.pick([returns, returns_tuple]))
    a.write(decorator(a, owner, "before_request"), a.function(name, "", body))


def after(a: Author, owner: Owner) -> None:
    name = a.name("after")
    body = [f'web.note("hook", "{name}", response.status_code)', *a.some(RESPONSE_CHANGES, 2)]
    body += a.some(STATEMENTS, 1) if a.chance(30) else []
    if a.chance(30):
        replaced = [
            "response = web.make_response('replaced')",
            "response = web.Response('r', 202)",
        ]
        body.append(a.gate(name, [a.pick([raises, *replaced])]))
    # An after function that returns None fails in another way (test_differences.py).
    body.append("return response")
    a.write(decorator(a, owner, "after_request"), a.function(name, "response", body))


def teardown(a: Author, owner: Owner) -> None:
    if a.streams:  # it runs twice, and before the stream, on Flask (test_differences.py)
        return
    name = a.name("teardown")
    body = [f'web.note("hook", "{name}", type(e).__name__)']
    if owner.is_app and a.chance(40):
        body += a.some(['web.note(web.g.get("x"))', 'web.g.y = "late"'], 1)
        head = "@app.teardown_appcontext"
    else:
        body += a.some(HARMLESS, 1) if a.chance(30) else []
        head = decorator(a, owner, "teardown_request")
    a.write(head, a.function(name, "e", body))


def teardown_that_raises(a: Author) -> None:
    # Only the first one registered on the app, which runs last: what is behind it does not
    # run on Flask, signals included (test_differences.py).
    for head in ("@app.teardown_request", "@app.teardown_appcontext"):
        if not a.streams and a.chance(4):
            a.silent = True
            name = a.name("teardown")
            body = [f'web.note("hook", "{name}", type(e).__name__)', raises(a)]
            a.write(head, a.function(name, "e", body))


def preprocessor(a: Author, owner: Owner) -> None:
    name = a.name("preprocess")
    body = [f'web.note("hook", "{name}", endpoint, values and dict(values))']
    body.append(a.pick(['web.g.p = values and values.pop("p", None)', *PREPROCESSING]))
    if a.chance(20):
        body.append(a.gate(name, [raises(a)]))
    a.write(decorator(a, owner, "url_value_preprocessor"))
    a.write(f"def {name}(endpoint, values):\n" + block(body))


def url_defaults(a: Author, owner: Owner) -> None:
    name = a.name("url_defaults")
    body = [f'web.note("hook", "{name}", endpoint, dict(values))']
    body.append('values.setdefault("p", web.g.get("p") or "en")')
    a.write(decorator(a, owner, "url_defaults"))
    a.write(f"def {name}(endpoint, values):\n" + block(body))


def processor(a: Author, owner: Owner) -> None:
    name = a.name("processor")
    rv = a.pick(['{"who": "a"}', '{"who": "b", "x": "shadowed"}', "{}", '{"request": "own"}'])
    body = [f'web.note("hook", "{name}")', f"return {rv}"]
    a.write(decorator(a, owner, "context_processor"), a.function(name, "", body))


def templates(a: Author, owner: Owner) -> None:
    kind, code = a.pick(
        [
            ('template_filter("loud")', "lambda text: text.upper()"),
            ('template_test("tiny")', "lambda n: n < 4"),
            ('template_global("twice")', "lambda n: n * 2"),
        ]
    )
    name = a.name("tool")
    a.write(f"{name} = {code}", f"{decorator(a, owner, kind)[1:]}({name})")


def receiver(a: Author, owner: Owner) -> None:
    signal = a.choose(BEFORE_TEARDOWN)
    if signal in a.heard:
        return
    a.heard.append(signal)
    name = a.name("receiver")
    body = [f'web.note("hook", "{name}", sender is app, web.has_request_context())']
    # A receiver that flashes a message would be called for it, again and again.
    statements = a.some(STATEMENTS, 1)
    body += [s for s in statements if "flash" not in signal or "flash" not in s]
    if a.chance(30):
        body.append(a.gate(name, [raises(a)]))
    a.write(f"def {name}(sender, **extra):\n" + block(body))
    a.write(f"web.hear({signal!r}, {name})")


def handler(a: Author, owner: Owner) -> None:
    name = a.name("handler")
    body = [f'web.note("hook", "{name}", type(e).__name__, getattr(e, "code", "-"))']
    body += a.some(STATEMENTS, 1) if a.chance(30) else []
    if a.chance(15):
        body.append('web.note(type(getattr(e, "original_exception", None)).__name__)')
    body.append(a.pick([returns_tuple, returns_tuple, returns, *HANDLING]))
    function = a.function(name, "e", body)
    call = f"{owner.variable}.register_error_handler"
    what = a.choose(HANDLED[:6] if a.chance(60) else [*HANDLED, *NOT_HANDLED])
    if owner.is_app or a.chance(65):
        a.write(function, f"web.attempt({call}, {what}, {name})")
    elif what not in NOT_HANDLED:  # told at once, by Flask later (test_differences.py)
        a.write(function, f"{owner.variable}.app_errorhandler({what})({name})")


KINDS = [before, after, before, after, handler, handler, handler, handler, teardown, preprocessor]
KINDS += [handler, handler, url_defaults, processor, templates, receiver]

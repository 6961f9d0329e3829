"""The same small application for each framework, as a user of that framework would write it.

Each builder returns one callable application and imports its framework only when called. What a
framework has no answer of its own for (templates, signed cookies) is done with Jinja2 and
itsdangerous directly, as its users do. Sessions are switched on only in the application that the
session case asks (`sessions=True`), and templates are never looked at again once they are compiled.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

TEMPLATES = Path(__file__).parent / "templates"
SECRET = "a benchmark has no secrets"
PAGE = {"title": "People & places", "names": ["Ada", "<Bob>", "Chloé", "Dai", "Eve"]}
DATA = {"id": 7, "name": "Ada", "tags": ["a", "b", "c"], "active": True}


def flask_like(module: str, class_name: str, sessions: bool) -> Any:
    """Flask's API, and so Vial's too: the text of both applications is the same."""
    web = importlib.import_module(module)
    app = getattr(web, class_name)(__name__, template_folder=str(TEMPLATES), static_folder=None)
    app.secret_key = SECRET if sessions else None
    request, session = web.request, web.session

    @app.get("/")
    def hello() -> str:
        return "Hello, World!"

    @app.get("/json")
    def data() -> dict[str, Any]:
        return DATA

    @app.get("/user/<int:number>")
    def user(number: int) -> str:
        return f"user {number + 1}"

    @app.get("/page")
    def page() -> Any:
        return web.render_template("page.html", **PAGE)

    @app.get("/count")
    def count() -> str:
        session["n"] = session.get("n", 0) + 1
        return str(session["n"])

    @app.post("/say")
    def say() -> str:
        return f"{request.form['name']}: {request.form['text']}"

    return app


def vial(sessions: bool) -> Any:
    return flask_like("vial", "Vial", sessions)


def flask(sessions: bool) -> Any:
    return flask_like("flask", "Flask", sessions)


def jinja() -> Any:
    """The environment that the frameworks without templates of their own share."""
    from jinja2 import Environment, FileSystemLoader

    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, auto_reload=False)


def signer() -> Any:
    """What a user of a framework without sessions reaches for."""
    from itsdangerous import URLSafeTimedSerializer

    return URLSafeTimedSerializer(SECRET, salt="session")


def bare_wsgi(sessions: bool) -> Any:
    """No framework at all: the floor under everything, this harness included."""
    from http.cookies import SimpleCookie

    template, cookies = jinja().get_template("page.html"), signer()

    def count(environ: dict[str, Any], headers: list[tuple[str, str]]) -> str:
        sent = SimpleCookie(environ.get("HTTP_COOKIE", "")).get("session")
        state = cookies.loads(sent.value) if sent else {}
        state["n"] = state.get("n", 0) + 1
        value = f"session={cookies.dumps(state)}; HttpOnly; Path=/"
        headers.append(("Set-Cookie", value))
        return str(state["n"])

    def say(environ: dict[str, Any]) -> str:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        form = parse_qs(body.decode())
        return f"{form['name'][0]}: {form['text'][0]}"

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path, status = environ["PATH_INFO"], "200 OK"
        headers = [("Content-Type", "text/html; charset=utf-8")]
        if path == "/":
            text = "Hello, World!"
        elif path == "/json":
            headers = [("Content-Type", "application/json")]
            text = json.dumps(DATA)
        elif path.startswith("/user/"):
            text = f"user {int(path[6:]) + 1}"
        elif path == "/page":
            text = template.render(PAGE)
        elif path == "/count":
            text = count(environ, headers)
        elif path == "/say":
            text = say(environ)
        else:
            status, text = "404 Not Found", "Not Found"
        body = text.encode()
        headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]

    return app


def falcon(sessions: bool) -> Any:
    import falcon

    template, cookies = jinja().get_template("page.html"), signer()

    class Hello:
        def on_get(self, req: Any, resp: Any) -> None:
            resp.text = "Hello, World!"

    class Data:
        def on_get(self, req: Any, resp: Any) -> None:
            resp.content_type = falcon.MEDIA_JSON
            resp.media = DATA

    class User:
        def on_get(self, req: Any, resp: Any, number: int) -> None:
            resp.text = f"user {number + 1}"

    class Page:
        def on_get(self, req: Any, resp: Any) -> None:
            resp.text = template.render(PAGE)

    class Count:
        def on_get(self, req: Any, resp: Any) -> None:
            sent = req.get_cookie_values("session")
            state = cookies.loads(sent[0]) if sent else {}
            state["n"] = state.get("n", 0) + 1
            resp.set_cookie("session", cookies.dumps(state), path="/", secure=False)
            resp.text = str(state["n"])

    class Say:
        def on_post(self, req: Any, resp: Any) -> None:
            form = req.get_media()
            resp.text = f"{form['name']}: {form['text']}"

    app = falcon.App(media_type=falcon.MEDIA_HTML)
    app.add_route("/", Hello())
    app.add_route("/json", Data())
    app.add_route("/user/{number:int}", User())
    app.add_route("/page", Page())
    app.add_route("/count", Count())
    app.add_route("/say", Say())
    return app


def bottle(sessions: bool) -> Any:
    import bottle

    template = jinja().get_template("page.html")
    request, response = bottle.request, bottle.response
    app = bottle.Bottle()

    @app.get("/")
    def hello() -> str:
        return "Hello, World!"

    @app.get("/json")
    def data() -> dict[str, Any]:
        return DATA

    @app.get("/user/<number:int>")
    def user(number: int) -> str:
        return f"user {number + 1}"

    @app.get("/page")
    def page() -> Any:
        return template.render(PAGE)

    @app.get("/count")
    def count() -> str:
        state = request.get_cookie("session", secret=SECRET) or {}
        state["n"] = state.get("n", 0) + 1
        response.set_cookie("session", state, secret=SECRET, path="/", httponly=True)
        return str(state["n"])

    @app.post("/say")
    def say() -> str:
        return f"{request.forms.name}: {request.forms.text}"

    return app


def starlette(sessions: bool) -> Any:
    """Async views, its fastest: a sync view adds a hop to a thread to each request."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.sessions import SessionMiddleware
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse
    from starlette.routing import Route
    from starlette.templating import Jinja2Templates

    templates = Jinja2Templates(env=jinja())

    async def hello(request: Request) -> Any:
        return HTMLResponse("Hello, World!")

    async def data(request: Request) -> Any:
        return JSONResponse(DATA)

    async def user(request: Request) -> Any:
        return HTMLResponse(f"user {request.path_params['number'] + 1}")

    async def page(request: Request) -> Any:
        return templates.TemplateResponse(request, "page.html", PAGE)

    async def count(request: Request) -> Any:
        request.session["n"] = request.session.get("n", 0) + 1
        return HTMLResponse(str(request.session["n"]))

    async def say(request: Request) -> Any:
        form = await request.form()
        return HTMLResponse(f"{form['name']}: {form['text']}")

    return Starlette(
        routes=[
            Route("/", hello),
            Route("/json", data),
            Route("/user/{number:int}", user),
            Route("/page", page),
            Route("/count", count),
            Route("/say", say, methods=["POST"]),
        ],
        middleware=[Middleware(SessionMiddleware, secret_key=SECRET)] if sessions else [],
    )

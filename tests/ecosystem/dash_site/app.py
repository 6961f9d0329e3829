"""A site of several pages written for Dash: `python app.py PORT`, or app:server by any server."""

from __future__ import annotations

import sys

import flask
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update, page_container
from dash.exceptions import PreventUpdate

app = Dash(__name__, use_pages=True)
server = app.server
server.secret_key = "secret"
app.layout = html.Div(
    [
        html.H1("A site of Dash", id="title"),
        dcc.Link("Bars", href="/bars", id="to-bars"),
        dcc.Input(id="name", value="you"),
        html.Button("Greet", id="greet", n_clicks=0),
        html.Output(id="answer"),
        html.Button("Save", id="save"),
        dcc.Download(id="download"),
        dcc.Upload(id="upload"),
        html.Output(id="size"),
        page_container,
    ]
)


@app.callback(
    Output("answer", "children"),
    Output("title", "children"),
    Input("greet", "n_clicks"),
    State("name", "value"),
    prevent_initial_call=True,
)
def greet(clicks: int, name: str) -> object:
    """A greeting, unless the name wants something else."""
    if name == "nothing":
        raise PreventUpdate
    if name == "wrong":
        raise LookupError("no such name")
    visits = flask.session["visits"] = flask.session.get("visits", 0) + 1
    ctx.response.set_cookie("greeted", name)
    place = f"{ctx.triggered_id} at {flask.request.path}"
    return f"{clicks}: hello, {name}", no_update if name == "you" else f"{visits} by {place}"


@app.callback(Output("download", "data"), Input("save", "n_clicks"), prevent_initial_call=True)
def save(clicks: int) -> object:
    """A file to download."""
    return dcc.send_string("tëxt", "file.txt")


@app.callback(Output("size", "children"), Input("upload", "contents"), prevent_initial_call=True)
def upload(contents: str) -> int:
    """How long the uploaded file is, as a data URL."""
    return len(contents)


@server.route("/plain")
def plain() -> str:
    """A view of the Flask app that Dash is built on."""
    return f"plain {flask.request.args.get('a')}"


if __name__ == "__main__":
    app.run(port=sys.argv[1], debug="debug" in sys.argv)

from __future__ import annotations

import dash
from dash import html

dash.register_page(__name__, path_template="/item/<number>", title="Item")


def layout(number: str = "", **query: str) -> html.P:
    """A page with a variable in its path."""
    return html.P(f"Item {number}, {query}.", id="page")

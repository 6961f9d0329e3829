from __future__ import annotations

import dash
from dash import dcc, html

dash.register_page(__name__, title="Bars")
layout = html.Div(
    [html.P("Bars.", id="page"), dcc.Graph(figure={"data": [{"type": "bar", "y": [1, 3, 2]}]})]
)

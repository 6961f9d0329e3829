from __future__ import annotations

import dash
from dash import html

dash.register_page(__name__, path="/", title="Home")
layout = html.P("The home page.", id="page")

"""Shared suites: what several gateways, routers or stores must do alike."""

"""What the reloader starts."""

from .rerun import main

main()

"""``python -m vial`` is the ``vial`` command."""

from .cli import main

if __name__ == "__main__":
    main()

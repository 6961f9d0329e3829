# coding: utf-8
"""Asks questions."""

import sys

from flask import Flask
from flask_script import Manager, prompt, prompt_bool, prompt_choices, prompt_pass

manager = Manager(Flask(__name__))


@manager.command
def survey():
    "Asks about everything"
    name = prompt("Your name")
    city = prompt("Where from?", default="Köln")
    colour = prompt_choices("Colour", ["red", "blue"], default="red")
    size = prompt_choices("Size", [("1", "small"), ("2", "large")])
    sure = prompt_bool("Are you sure")
    print("%s|%s|%s|%s|%s" % (name, city, colour, size, sure))


@manager.command
def password():
    first = prompt_pass("Password")
    print("%d characters" % len(first))


@manager.command
def careful():
    try:
        prompt("Your name")
    except EOFError:
        print("nobody there", file=sys.stderr)
        return 7


if __name__ == "__main__":
    manager.run()

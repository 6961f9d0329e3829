# coding: utf-8
"""A notebook with a manage.py, as people wrote it for Flask-Script 2."""

import os
import sys
import time

from flask import Flask, current_app, url_for
from flask_script import Command, Manager, Option, Server, Shell
from flask_script.commands import Clean, InvalidCommand, ShowUrls

app = Flask(__name__)
app.config["NOTES"] = os.environ.get("NOTES", "notes.txt")

manager = Manager(app)


@app.route("/notes/<int:number>")
def note(number):
    return notes()[number]


def notes():
    if not os.path.exists(current_app.config["NOTES"]):
        return []
    with open(current_app.config["NOTES"], encoding="utf-8") as file:
        return file.read().splitlines()


class Add(Command):
    "adds notes"

    option_list = (
        Option("--tag", "-t", dest="tags", action="append", default=[]),
        Option("--importance", "-i", type=int, choices=(1, 2, 3), default=1, help="from 1 to 3"),
        Option("texts", nargs="+", metavar="TEXT"),
    )

    def run(self, texts, tags, importance):
        with open(current_app.config["NOTES"], "a", encoding="utf-8") as file:
            for text in texts:
                file.write("%s %s%s\n" % ("*" * importance, text, "".join(" #" + t for t in tags)))


@manager.command
def show(limit=None, numbers=False):
    "Shows the notes"
    for number, text in enumerate(notes()[: int(limit) if limit else None]):
        print("%s: %s" % (url_for("note", number=number), text) if numbers else text)


@manager.option("-n", "--number", dest="number", type=int, required=True)
@manager.option("-f", "--force", action="store_true", help="also an important one")
def forget(number, force):
    "Forgets a note"
    rest = notes()
    if number >= len(rest):
        raise InvalidCommand("There is no note %d." % number)
    if rest[number].startswith("***") and not force:
        return 3
    del rest[number]
    with open(current_app.config["NOTES"], "w", encoding="utf-8") as file:
        file.write("".join(text + "\n" for text in rest))


@manager.command
def wait():
    "Waits for a note"
    print("waiting")
    sys.stdout.flush()
    while True:
        time.sleep(0.1)


@manager.command
def fail():
    raise InvalidCommand("Nothing is möglich.")


def _make_context():
    return dict(app=app, notes=notes)


manager.add_command("add", Add())
manager.add_command("runserver", Server(host="127.0.0.1", port=0))
manager.add_command("shell", Shell(banner="The notebook", make_context=_make_context))
manager.add_command("urls", ShowUrls())
manager.add_command("clean", Clean())

if __name__ == "__main__":
    if "CAUGHT" in os.environ:
        try:
            manager.run()
        except InvalidCommand as err:
            print("caught:", err, file=sys.stderr)
            sys.exit(4)
    manager.run()

"""A program that somebody wrote for Flask, as in their notes: pages, a form, a message."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
from flask import Flask, redirect, render_template, request, url_for

app = Flask(__name__)
app.config['SECRET_KEY'] = 'secret!'

@app.route('/')
def index():
    return render_template('index.html')

@app.route('/chatroom')
def chatroom():
    return render_template('chatroom.html')

@app.route("/register", methods=["GET", "POST"])
def register():
    if request.method == "POST":
        message= "User or displayname existed"
        return render_template('register.html', msg = message)
    return render_template('register.html')

@app.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "POST":
        return redirect(url_for("chatroom"))
    return render_template('login.html')
"""
TEMPLATES = {
    "index.html": "<h1>Index</h1>",
    "chatroom.html": "<h2>Chat</h2>",
    "register.html": "<h2>{{msg}}</h2>",
    "login.html": "<a href='{{ url_for('register') }}'>Register</a>",
}
VISIT = """
import json, runpy, sys, vial
vial.install_as_flask()
client = runpy.run_path(sys.argv[1])["app"].test_client()
answers = [
    (r.request.method, r.request.path, r.status_code, r.location or r.text.splitlines()[0])
    for r in (*map(client.get, ("/", "/chatroom", "/register", "/login")),
              *map(client.post, ("/register", "/login", "/")))
]
print(json.dumps(answers))
"""


def test_a_program_of_four_pages_runs_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "test_mongo.py").write_text(PROGRAM)
    (tmp_path / "templates").mkdir()
    for name, text in TEMPLATES.items():
        (tmp_path / "templates" / name).write_text(text)
    command = [sys.executable, "-W", "error", "-c", VISIT, str(tmp_path / "test_mongo.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    answers = json.loads(done.stdout)
    assert [tuple(answer) for answer in answers] == [
        ("GET", "/", 200, "<h1>Index</h1>"),
        ("GET", "/chatroom", 200, "<h2>Chat</h2>"),
        ("GET", "/register", 200, "<h2></h2>"),
        ("GET", "/login", 200, "<a href='/register'>Register</a>"),
        ("POST", "/register", 200, "<h2>User or displayname existed</h2>"),
        ("POST", "/login", 302, "/chatroom"),
        ("POST", "/", 405, "<!doctype html>"),
    ]

"""A program with a mistake in each line that says which: for tests/checking/test_sample.py."""

import asyncio
import os
import pickle
import subprocess
import time

from parts.accounts import accounts
from parts.store import store

from vial import (
    Markup,
    Vial,
    current_app,
    flash,
    redirect,
    render_template,
    render_template_string,
    request,
    send_file,
    url_for,
)

app = Vial(__name__)
app.config.update(
    SECRET_KEY="f1a7c0de5b2e4d9396b8a1c2d3e4f507",  # expect: V503
    TESTING=True,  # expect: V505
    SESSION_COOKIE_SECURE=False,  # expect: V506
    SESSION_COOKIE_SAMESITE=None,  # expect: V507
    SESSION_COOKIE_HTTPONLY=False,  # expect: V508
    SERVER_NAME="shop.example",
    PREFERRED_URL_SCHEME="http",  # expect: V510
    MAX_CONTENT_LENGTH=None,  # expect: V511
    EXTERNAL_REDIRECTS=True,
)
app.config["DEBUG"] = True  # expect: V504
app.register_blueprint(store, url_prefix="/store")
app.register_blueprint(accounts, url_prefix="/accounts")


@app.after_request
def allow(response):
    response.headers["Access-Control-Allow-Origin"] = "*"  # expect: V509
    return response


@app.before_request
def may_enter():
    if "banned" in request.cookies:
        return False  # expect: V303
    return None


@app.get("/")
def index():
    good = [url_for("index"), url_for("store.item", id=1), url_for("store.item", id=1, q=2)]
    good += [url_for("static", filename="style.css"), url_for("login", next="/")]
    url_for("indx")  # expect: V101
    url_for("item", id=1)  # expect: V101
    url_for("store.item")  # expect: V102
    url_for("store.item", ident=1)  # expect: V102
    url_for("store.item", id="first")  # expect: V103
    url_for("static", filename="stlye.css")  # expect: V104
    return render_template("index.html", good=good)


@app.get("/login")
def login():
    return redirect(url_for("signin"))  # expect: V101


@app.get("/missing")
def missing():
    return render_template("indx.html")  # expect: V201


@app.get("/user/<name>")
def user(name):
    return name


@app.get("/user/<string:nick>")  # expect: V105
def nick(nick):
    return nick


@app.get("/order/<int:number>")
def order(id):  # expect: V106
    return str(id)


@app.get("/place")
def place(number):  # expect: V106
    return str(number)


@app.route("/pay", methods=["GET", "PSOT"])  # expect: V107
def pay():
    return "paid"


@app.get("/silent")
def silent():  # expect: V301
    flash("Nothing comes of this.")


@app.get("/forgot")
def forgot():  # expect: V301
    render_template("index.html")


@app.get("/slow")
async def slow():
    await asyncio.sleep(0)
    time.sleep(1)  # expect: V302
    return "at last"


def later(app):
    app.errorhandler(418)(index)
    app.errorhandler(440)(index)  # expect: V304
    app.add_url_rule("/later", view_func=index, methods="POST")  # expect: V107


@app.post("/search")
def search():
    q = request.form["q"]
    with current_app.extensions["db"]() as db:
        db.execute(f"SELECT * FROM items WHERE name = '{q}'")  # expect: V404
        db.execute("SELECT * FROM items WHERE name = ?", (q,))
        db.execute("DELETE FROM items WHERE name = '%s'" % q)  # expect: V404
    return Markup("<p>" + q)  # expect: V401


@app.get("/say")
def say():
    return render_template_string("<p>" + request.args.get("text", ""))  # expect: V402


@app.get("/file/<path:name>")
def file(name):
    return send_file(os.path.join("files", name))  # expect: V403


@app.get("/away")
def away():
    return redirect(request.args["next"])  # expect: V405


@app.post("/settings")
def settings():
    import yaml

    yaml.load(request.data, Loader=yaml.Loader)  # expect: V406
    pickle.loads(request.get_data())  # expect: V407
    host = request.form["host"].strip()
    subprocess.run(f"ping -c1 {host}", shell=True)  # expect: V408
    subprocess.run(["ping", "-c1", host])
    return str(eval(request.form["sum"]))  # expect: V409


@app.get("/ignored")
def ignored():
    # vial: ignore[V101]
    return redirect(url_for("nowhere")) if request.args else url_for("no")  # vial: ignore


app.run(debug=True)  # expect: V305

if __name__ == "__main__":
    app.run(debug=True)

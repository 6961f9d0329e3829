import os
from datetime import datetime

from vial import Vial, abort, render_template, request, session

from teas import TEAS

app = Vial(__name__)
app.secret_key = os.environ.get("SECRET_KEY", "dev")


def greeting(hour):
    if hour < 12:
        return "Good morning"
    if hour < 18:
        return "Good afternoon"
    return "Good evening"


@app.route("/")
def home():
    session["visits"] = session.get("visits", 0) + 1
    words = greeting(datetime.now().hour)
    return render_template("home.html", greeting=words, visits=session["visits"])


@app.route("/teas")
def tea_list():
    kind = request.args.get("kind", "")
    found = {slug: tea for slug, tea in TEAS.items() if kind in ("", tea["kind"])}
    return render_template("tea_list.html", teas=found, kind=kind)


@app.route("/teas/<slug>")
def tea_page(slug):
    if slug not in TEAS:
        abort(404)
    return render_template("tea_page.html", tea=TEAS[slug])


@app.route("/about")
def about():
    return render_template("about.html")


@app.errorhandler(404)
def not_found(error):
    return render_template("not_found.html"), 404

"""A program written for Bootstrap-Flask, Flask-WTF and Bootstrap 5."""

from flask import Flask, flash, redirect, render_template, request, url_for
from flask_bootstrap import Bootstrap5, SwitchField
from flask_wtf import CSRFProtect, FlaskForm
from wtforms import EmailField, SelectField, SubmitField
from wtforms.validators import DataRequired

app = Flask(__name__)
app.secret_key = "dev"
app.config["BOOTSTRAP_BTN_STYLE"] = "success"
app.config["BOOTSTRAP_BOOTSWATCH_THEME"] = "pulse"
app.config["BOOTSTRAP_SERVE_LOCAL"] = True

bootstrap = Bootstrap5(app)
csrf = CSRFProtect(app)
readers = [{"id": n, "email": f"reader{n}@example.com"} for n in range(1, 8)]


class SubscribeForm(FlaskForm):
    email = EmailField("E-mail", validators=[DataRequired()], description="We never spam.")
    often = SelectField(choices=["daily", "weekly"])
    html = SwitchField("As HTML")
    submit = SubmitField("Subscribe")


class Page:
    per_page = 3

    def __init__(self, number):
        self.page = number
        self.pages = 3
        self.has_prev, self.has_next = number > 1, number < self.pages
        self.prev_num, self.next_num = number - 1, number + 1
        self.items = readers[(number - 1) * 3 : number * 3]

    def iter_pages(self):
        return range(1, self.pages + 1)


@app.route("/", methods=["GET", "POST"])
def index():
    form = SubscribeForm()
    if form.validate_on_submit():
        flash("Welcome, <" + form.email.data + ">!", "success")
        return redirect(url_for("list_readers"))
    return render_template("index.html", form=form)


@app.route("/readers")
def list_readers():
    page = Page(request.args.get("page", 1, type=int))
    titles = [("id", "#"), ("email", "E-mail")]
    return render_template("readers.html", page=page, titles=titles)


@app.route("/readers/<int:reader_id>/delete", methods=["POST"])
def delete(reader_id):
    readers[:] = [reader for reader in readers if reader["id"] != reader_id]
    return redirect(url_for("list_readers"))

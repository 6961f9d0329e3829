"""A program written for Flask-Bootstrap 3.3 and Flask-WTF."""

from flask import Flask, flash, redirect, render_template, session, url_for
from flask_bootstrap import Bootstrap, WebCDN
from flask_wtf import FlaskForm
from wtforms import StringField, SubmitField
from wtforms.validators import DataRequired

bootstrap = Bootstrap()


class NameForm(FlaskForm):
    name = StringField("What is your name?", validators=[DataRequired()])
    submit = SubmitField("Submit")


def create_app():
    app = Flask(__name__)
    app.config["SECRET_KEY"] = "hard to guess"
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    bootstrap.init_app(app)
    app.extensions["bootstrap"]["cdns"]["theirs"] = WebCDN("//cdn.example/")

    @app.route("/", methods=["GET", "POST"])
    def index():
        form = NameForm()
        if form.validate_on_submit():
            if session.get("name") not in (None, form.name.data):
                flash("You changed your name!", "error")
            session["name"] = form.name.data
            return redirect(url_for("index"))
        return render_template("index.html", form=form, name=session.get("name"))

    @app.errorhandler(404)
    def page_not_found(e):
        return render_template("404.html"), 404

    return app


app = create_app()

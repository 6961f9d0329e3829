"""An application factory, options of the manager, and managers within it."""

from flask import Flask, current_app
from flask_script import Group, Manager, Option, Command


def create_app(config=None, verbose=False):
    app = Flask(__name__)
    app.config["CURRENCY"] = "EUR"
    if config is not None:
        app.config.from_pyfile(config)
    if verbose:
        print("made with", config)
    return app


manager = Manager(create_app, description="Runs the shop.")
manager.add_option("-c", "--config", dest="config", required=False, help="settings of the shop")
manager.add_option("-v", "--verbose", dest="verbose", action="store_true", default=False)

database = Manager(usage="Perform database operations")


@database.command
def drop():
    "Drops database tables"
    print("dropped")


@database.command
def create(default_data=True, sample_data=False):
    "Creates database tables"
    print("created", default_data, sample_data)


@database.command
def recreate(sample_data=False):
    "Drops and creates"
    drop()
    create(sample_data=sample_data)


class Price(Command):
    """Says a price"""

    help_args = ("--help",)

    def get_options(self):
        return [
            Option("amount", type=float),
            Group(
                Option("--gross", action="store_true"),
                Option("--net", action="store_true"),
                exclusive=True,
                required=True,
            ),
        ]

    def run(self, amount, gross, net):
        print("%.2f %s" % (amount * (1.2 if gross else 1), current_app.config["CURRENCY"]))


def make_admin(app, realm=None):
    print("admin of", app.config["CURRENCY"], "in", realm)
    other = Flask("admin")
    other.config["CURRENCY"] = app.config["CURRENCY"] * 2
    return other


admin = Manager(make_admin, usage="For administrators")
admin.add_option("--realm")
admin.add_command("price", Price())

manager.add_command("database", database)
manager.add_command(Price)
manager.add_command("admin", admin)


class Test(Command):
    "hands everything on"

    capture_all_args = True

    def run(self, rest):
        print(rest)
        return len(rest)


if __name__ == "__main__":
    manager.run({"test": Test()}, default_command="database")

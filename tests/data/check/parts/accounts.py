from vial import Blueprint

accounts = Blueprint("accounts", __name__)


@accounts.get("/")
def show():
    return "accounts"


def twice(accounts):
    @accounts.get("/again")
    def show():
        return "in a function it may be another one"


spare = Blueprint("spare", __name__)  # vial: ignore[V109]


@spare.get("/")
def first():
    return ""


@spare.get("/first")
def first():  # expect: V108  # noqa: F811
    return ""

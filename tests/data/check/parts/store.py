from vial import Blueprint, redirect, url_for

store = Blueprint(
    "store",
    __name__,
    template_folder="pages",  # expect: V205
)
outlet = Blueprint("outlet", __name__)  # expect: V109


@store.get("/item/<int:id>")
def item(id):
    return redirect(url_for(".index"))


@store.get("/")
def index():
    return redirect(url_for(".idnex"))  # expect: V101

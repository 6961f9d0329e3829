from vial import Blueprint

admin = Blueprint("admin", __name__)  # expect: V109

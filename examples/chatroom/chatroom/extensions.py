"""The parts that Vial brings along; the database is in `models/tables.py`."""

from vial.bootstrap import Bootstrap5
from vial.forms import CSRFProtect
from vial.login import LoginManager
from vial.socketio import SocketIO

bootstrap = Bootstrap5()
csrf = CSRFProtect()
login = LoginManager()
socketio = SocketIO(max_http_buffer_size=65_536, max_message_rate=50, max_rooms=20)

login.login_view = "accounts.login"
login.login_message = "Please log in first."
login.login_message_category = "info"

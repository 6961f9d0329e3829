"""Flask-Mail: mails from views, to a real SMTP server."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.message import Message as Parsed
from pathlib import Path
from smtplib import SMTPAuthenticationError
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Handler
from aiosmtpd.smtp import AuthResult
from ecosystem.running import free_port
from flask import Flask, copy_current_request_context, render_template_string, request
from flask_mail import BadHeaderError, Mail, Message, email_dispatched
from werkzeug.serving import make_ssl_devcert


class Box(Handler):
    """What an SMTP server got, with the addresses of its envelope in ``X-RcptTo``."""

    def __init__(self) -> None:
        super().__init__(EmailMessage)
        self.mails: list[EmailMessage] = []
        self.logins: list[tuple[str, str, bool]] = []

    def handle_message(self, message: Parsed) -> None:
        self.mails.append(message_from_bytes(message.as_bytes(), policy=policy.default))

    def check(self, server: Any, session: Any, envelope: Any, how: str, data: Any) -> AuthResult:
        encrypted = session.ssl is not None
        self.logins.append((data.login.decode(), data.password.decode(), encrypted))
        # Otherwise the server takes it that a refusal was sent, and the client waits for one.
        return AuthResult(success=data.password == b"secret", handled=False)


@contextmanager
def serving(box: Box, **options: Any) -> Iterator[int]:
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def box() -> Iterator[tuple[Box, int]]:
    box = Box()
    with serving(box) as port:
        yield box, port


@pytest.fixture
def guarded_box(tmp_path: Path) -> Iterator[tuple[Box, int]]:
    """One that lets in who has a password, which it wants encrypted."""
    box = Box()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*make_ssl_devcert(str(tmp_path / "mail"), host="localhost"))
    options = {"tls_context": tls, "require_starttls": True, "auth_required": True}
    with serving(box, authenticator=box.check, **options) as port:
        yield box, port


def make(**config: Any) -> tuple[Flask, Mail]:
    app = Flask(__name__)
    app.config |= {"MAIL_DEFAULT_SENDER": ("Shop", "shop@example.com"), **config}
    mail = Mail(app)

    @app.route("/order/<name>")
    def order(name: str) -> str:
        source = "Dear {{ name }}, thanks: {{ url_for('order', name=1) }}"
        body = render_template_string(source, name=name)
        message = Message("Your order", recipients=[f"{name}@example.com"], body=body)
        message.html = f"<p>{body}</p>"
        message.attach("bill.txt", "text/plain", b"10 EUR")
        mail.send(message)
        return "sent"

    return app, mail


def test_a_test_sees_what_would_be_sent(assert_fast: Any, over_asgi: Any) -> None:
    app, mail = make(TESTING=True)
    heard = []
    with email_dispatched.connected_to(lambda app, message: heard.append(message), app):
        with app.app_context(), mail.record_messages() as outbox:
            assert app.test_client().get("/order/ada").text == "sent"
        assert over_asgi(app, "/order/bob").text == "sent"
    assert outbox == heard[:1] and outbox[0].body == "Dear ada, thanks: /order/1"
    assert [m.recipients for m in heard] == [["ada@example.com"], ["bob@example.com"]]
    assert_fast(app)


@pytest.mark.service
def test_a_server_gets_the_whole_mail(box: tuple[Box, int]) -> None:
    mailbox, port = box
    app, _ = make(MAIL_SERVER="127.0.0.1", MAIL_PORT=port)
    assert app.test_client().get("/order/ada").text == "sent"
    (mail,) = mailbox.mails
    assert (mail["Subject"], mail["From"]) == ("Your order", "Shop <shop@example.com>")
    parts = [part for part in mail.walk() if not part.is_multipart()]
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html", "text/plain"]
    assert parts[2].get_filename() == "bill.txt"
    assert parts[2].get_payload(decode=True) == b"10 EUR"


@pytest.mark.service
def test_copies_go_out_and_blind_ones_are_in_no_header(box: tuple[Box, int]) -> None:
    mailbox, port = box
    app, mail = make(MAIL_SERVER="127.0.0.1", MAIL_PORT=port, MAIL_ASCII_ATTACHMENTS=True)
    with app.app_context():
        message = Message("Grüße", recipients=[("Ada", "ada@example.com")], body="schön")
        message.cc, message.bcc = ["bob@example.com"], ["eve@example.com"]
        message.reply_to = "answers@example.com"
        message.extra_headers = {"X-Order": "7"}
        with app.open_resource("test_mail.py") as this:
            message.attach("prüf .py", data=this.read())
        mail.send(message)
    (got,) = mailbox.mails
    reached = sorted(got["X-RcptTo"].split(", "))
    assert reached == ["ada@example.com", "bob@example.com", "eve@example.com"]
    assert (got["To"], got["Cc"]) == ("Ada <ada@example.com>", "bob@example.com")
    assert (got["Subject"], got["Reply-To"], got["X-Order"]) == (
        "Grüße",
        "answers@example.com",
        "7",
    )
    del got["X-RcptTo"]
    assert not [header for header in got.values() if "eve" in header]
    body, attached = got.iter_parts()
    assert body.get_content() == "schön"
    assert attached.get_filename() == "pruf .py"
    assert attached.get_payload(decode=True) == Path(__file__).read_bytes()


@pytest.mark.service
def test_a_password_is_sent_over_tls(guarded_box: tuple[Box, int]) -> None:
    mailbox, port = guarded_box
    settings = {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": port, "MAIL_USE_TLS": True}
    app, _ = make(**settings, MAIL_USERNAME="shop", MAIL_PASSWORD="secret")
    assert app.test_client().get("/order/ada").text == "sent"
    assert mailbox.logins == [("shop", "secret", True)] and len(mailbox.mails) == 1
    stranger, _ = make(**settings, MAIL_USERNAME="shop", MAIL_PASSWORD="guessed")
    stranger.testing = True
    with pytest.raises(SMTPAuthenticationError):
        stranger.test_client().get("/order/eve")
    assert len(mailbox.mails) == 1


@pytest.mark.service
def test_a_thread_sends_with_a_context_of_the_app_or_of_the_request(box: tuple[Box, int]) -> None:
    mailbox, port = box
    app, mail = make(MAIL_SERVER="127.0.0.1", MAIL_PORT=port)

    @app.route("/later/<name>")
    def later(name: str) -> str:
        def in_app() -> None:
            with app.app_context():
                mail.send_message("app", [f"{name}@example.com"], "")

        @copy_current_request_context
        def in_request() -> None:
            mail.send_message(f"request {request.path}", [f"{name}@example.com"], "")

        for work in (in_app, in_request):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        return "sent"

    assert app.test_client().get("/later/ada").text == "sent"
    assert [mail["Subject"] for mail in mailbox.mails] == ["app", "request /later/ada"]


@pytest.mark.service
def test_nothing_is_sent_when_suppressed_but_it_is_told_of(box: tuple[Box, int]) -> None:
    mailbox, port = box
    app, mail = make(MAIL_SERVER="127.0.0.1", MAIL_PORT=port, MAIL_SUPPRESS_SEND=True)
    with app.app_context(), mail.record_messages() as outbox:
        mail.send_message("Hi", ["ada@example.com"], "text")
    assert [message.subject for message in outbox] == ["Hi"]
    assert mailbox.mails == []


@pytest.mark.service
def test_one_connection_sends_many(box: tuple[Box, int]) -> None:
    mailbox, port = box
    app, mail = make(MAIL_SERVER="127.0.0.1", MAIL_PORT=port, MAIL_MAX_EMAILS=2)
    with app.app_context(), mail.connect() as connection:
        for n in range(5):
            connection.send(Message(str(n), recipients=["a@example.com"], body="text"))
    assert [m["Subject"] for m in mailbox.mails] == ["0", "1", "2", "3", "4"]


def test_a_header_cannot_be_slipped_in() -> None:
    app, mail = make(TESTING=True)
    with app.app_context(), pytest.raises(BadHeaderError):
        mail.send(Message("Hi\r\nBcc: all@example.com", recipients=["a@example.com"]))

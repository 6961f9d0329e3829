"""Who is logged in, and who may come in."""

from __future__ import annotations

from typing import Any

import pytest
from login_site import Site, User

from vial import Blueprint, Vial, abort, request, session
from vial.login import (
    AnonymousUserMixin,
    FlaskLoginClient,
    LoginManager,
    UserMixin,
    bearer_token,
    confirm_login,
    current_user,
    fresh_login_required_by,
    login_fresh,
    login_remembered,
    login_required,
    login_user,
    renew_session,
    session_protected,
    set_login_view,
    user_logged_in,
    user_logged_out,
    user_needs_refresh,
    user_unauthorized,
)


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_protected_view_sends_strangers_to_the_login_and_back(site: Site) -> None:
    response = site.app.test_client().get("/me?a=b")
    assert (response.status_code, response.location) == (302, "/login?next=%2Fme%3Fa%3Db")
    client = site.logged_in()
    assert client.get("/me").text == client.get("/page").text == "ada"
    assert client.get("/logout").text == "True"
    assert client.get("/me").status_code == 302
    assert client.get("/page").text == "nobody"


def test_a_page_that_does_not_ask_who_it_is_loads_nobody(site: Site) -> None:
    client = site.logged_in()
    response = client.get("/plain")
    assert site.loads == 0
    assert "Vary" not in response.headers and "Cache-Control" not in response.headers
    client.get("/page")
    assert site.loads == 1


def test_pages_about_somebody_are_private_and_those_of_a_login_are_not_stored(site: Site) -> None:
    @site.app.get("/own")
    def own() -> Any:
        return str(current_user.is_authenticated), {"Cache-Control": "max-age=5"}

    client = site.app.test_client()
    assert client.get("/page").headers["Cache-Control"] == "private"
    logged_in = client.post("/login", data={"id": "ada"})
    assert logged_in.headers["Cache-Control"] == "no-store"
    assert client.get("/me").headers["Cache-Control"] == "private"
    assert client.get("/logout").headers["Cache-Control"] == "no-store"
    assert client.get("/own").headers["Cache-Control"] == "max-age=5"


def test_the_form_of_a_login_view_that_knows_its_user_is_not_stored(site: Site) -> None:
    site.app.view_functions["login"] = lambda: str(current_user.is_anonymous)
    assert site.app.test_client().get("/login").headers["Cache-Control"] == "no-store"


def test_an_account_that_was_shut_cannot_log_in_and_is_nobody(site: Site) -> None:
    class Shut(User):
        is_active = False  # type: ignore[assignment]

    client = site.logged_in()
    site.users["ada"] = Shut("ada")
    assert client.get("/me").status_code == 302
    assert client.post("/login", data={"id": "ada"}).text == "False"
    with site.app.test_request_context():
        assert login_user(site.users["ada"], force=True)


def test_a_user_without_an_id_cannot_log_in(site: Site) -> None:
    user = User("x")
    user.id = None  # type: ignore[assignment]
    with site.app.test_request_context(), pytest.raises(ValueError, match="save it"):
        login_user(user)


def test_outside_of_requests_nobody_is_the_user(site: Site) -> None:
    assert not current_user
    with site.app.app_context():
        assert not current_user


def test_an_app_without_a_login_manager_is_told_so() -> None:
    app = Vial("bare", static_folder=None)
    with app.test_request_context(), pytest.raises(RuntimeError, match="has no login manager"):
        current_user.id


def test_a_manager_that_cannot_find_users_is_told_so() -> None:
    app = Vial("bare", static_folder=None)
    LoginManager(app)
    with app.test_request_context(), pytest.raises(Exception, match="Nothing says how"):
        current_user.id


def test_a_user_without_id_is_told_so() -> None:
    with pytest.raises(NotImplementedError, match="Nameless has no attribute 'id'"):
        type("Nameless", (UserMixin,), {})().get_id()


def test_users_are_the_same_by_their_ids() -> None:
    assert User("ada") == User("ada") != User("bob")
    assert User("ada") != 1
    assert len({User("ada"), User("ada")}) == 2
    nobody = AnonymousUserMixin()
    assert (nobody.is_active, nobody.is_anonymous, nobody.get_id()) == (False, True, None)


# -- sessions ------------------------------------------------------------------------------------


def test_a_logout_leaves_nothing_in_the_session_but_messages(site: Site) -> None:
    client = site.logged_in()
    with client.session_transaction() as kept:
        kept.update(address="Main Street 1", _flashes=[("message", "bye")])
    with client:
        client.get("/logout")
        assert dict(session) == {"_flashes": [("message", "bye")]}


def test_a_login_keeps_what_a_stranger_had_but_not_the_csrf_token(site: Site) -> None:
    client = site.app.test_client()
    with client.session_transaction() as planted:
        planted.update(cart=[1, 2], csrf_token="known to an attacker")
    site.logged_in(client=client)
    with client.session_transaction() as kept:
        assert kept["cart"] == [1, 2] and "csrf_token" not in kept


def test_a_login_as_somebody_else_keeps_nothing(site: Site) -> None:
    client = site.logged_in()
    with client.session_transaction() as kept:
        kept["cart"] = [1, 2]
    site.logged_in("ada", client)
    with client.session_transaction() as kept:
        assert kept["cart"] == [1, 2]
    site.logged_in("bob", client)
    with client.session_transaction() as kept:
        assert "cart" not in kept and kept["_user_id"] == "bob"


def test_a_session_that_is_kept_on_a_server_gets_another_id(site: Site) -> None:
    seen: list[Any] = []
    site.app.session_interface.regenerate = seen.append  # type: ignore[attr-defined]
    site.logged_in()
    assert [type(one).__name__ for one in seen] == ["SecureCookieSession"]


def test_a_new_password_ends_all_sessions_but_the_one_it_was_changed_in(site: Site) -> None:
    @site.app.post("/password")
    def change() -> str:
        current_user.password_hash = "another"
        renew_session()
        return "changed"

    here, elsewhere = site.logged_in(), site.logged_in()
    here.post("/password")
    assert here.get("/me").text == "ada"
    assert elsewhere.get("/me").status_code == 302
    with elsewhere.session_transaction() as left:
        assert set(left) == {"_flashes"}


def test_a_session_without_a_fingerprint_is_nobodys(site: Site) -> None:
    client = site.app.test_client()
    with client.session_transaction() as planted:
        planted["_user_id"] = "ada"
    assert client.get("/me").status_code == 302


def test_a_user_may_have_no_fingerprint(site: Site) -> None:
    site.users["ada"].password_hash = None  # type: ignore[assignment]
    assert site.logged_in().get("/me").text == "ada"


def test_fingerprints_tell_nothing_and_outlive_a_change_of_keys(site: Site) -> None:
    client = site.logged_in()
    with client.session_transaction() as kept:
        assert "hash of" not in str(dict(kept)) and kept["_user_fingerprint"]
    site.app.config.update(SECRET_KEY="a new one", SECRET_KEY_FALLBACKS=[site.app.secret_key])
    stale = site.app.test_client()
    stale.set_cookie("session", client.get_cookie("session").value)
    assert client.get("/me").text == "ada"  # and the session has the new key's from here on
    site.app.config["SECRET_KEY_FALLBACKS"] = []
    assert client.get("/me").text == "ada"
    assert stale.get("/me").status_code == 302


def test_a_user_that_was_deleted_is_logged_out(site: Site) -> None:
    client = site.logged_in()
    del site.users["ada"]
    assert client.get("/page").text == "nobody"
    assert client.get_cookie("session") is None


def test_basic_protection_takes_freshness_and_strong_protection_the_login(site: Site) -> None:
    heard: list[Any] = []
    session_protected.connect(heard.append, site.app, weak=False)
    elsewhere = {"User-Agent": "another"}
    client = site.logged_in()
    assert client.get("/pay").text == "paid"
    assert client.get("/me", headers=elsewhere).text == "ada"
    assert client.get("/pay").status_code == 401
    site.app.config["SESSION_PROTECTION"] = "strong"
    assert client.get("/me", headers=elsewhere).status_code == 302
    assert client.get("/me").status_code == 302
    site.app.config["SESSION_PROTECTION"] = None
    client = site.logged_in()
    assert client.get("/pay", headers=elsewhere).text == "paid"
    assert len(heard) == 2


def test_who_a_proxy_speaks_for_is_not_believed(site: Site) -> None:
    client = site.logged_in()
    assert client.get("/pay", headers={"X-Forwarded-For": "10.0.0.1"}).text == "paid"


# -- freshness -----------------------------------------------------------------------------------


def test_a_login_that_is_remembered_is_fresh_once_it_is_confirmed(site: Site) -> None:
    client = site.remembered()
    assert client.get("/me").text == "ada"
    assert client.get("/pay").status_code == 401
    client.get("/confirm")
    assert client.get("/pay").text == "paid"


def test_nobody_cannot_confirm_a_login(site: Site) -> None:
    answer = site.app.test_client().get("/confirm")
    assert answer.status_code == 401 and "Nobody is logged in" in answer.text


def test_freshness_is_that_of_the_user_of_the_session(site: Site) -> None:
    site.manager.request_loader(lambda request: site.users["bob"])
    site.app.add_url_rule("/who", "who", lambda: f"{current_user.id} {login_fresh()}")
    client = site.logged_in()
    assert client.get("/who").text == "ada True"
    del site.users["ada"]
    assert client.get("/who").text == "bob False"
    assert client.get("/pay").status_code == 401


def test_freshness_is_that_of_a_method(site: Site) -> None:
    def prove(method: str | None) -> str:
        return str(confirm_login(method=method))

    app = site.app
    app.add_url_rule("/prove/<method>", "prove", prove)
    app.add_url_rule("/keys", "keys", fresh_login_required_by("passkey")(lambda: "keys"))
    client = site.logged_in()
    assert client.get("/keys").status_code == 401
    client.get("/prove/passkey")
    assert client.get("/keys").text == "keys"
    client.get("/prove/password")
    assert client.get("/keys").status_code == 401
    assert client.get("/pay").text == "paid"
    assert app.test_client().get("/keys").status_code == 302


# -- answers -------------------------------------------------------------------------------------


def test_those_whose_login_is_not_fresh_go_to_the_page_for_that(site: Site) -> None:
    site.manager.refresh_view = "confirm"
    site.manager.localize_callback = str.upper
    site.manager.needs_refresh_message_category = "warning"
    client = site.remembered()
    assert client.get("/pay").location == "/confirm?next=%2Fpay"
    with client.session_transaction() as kept:
        text = "PLEASE REAUTHENTICATE TO ACCESS THIS PAGE."
        assert kept["_flashes"] == [("warning", text)]
    site.manager.needs_refresh_handler(lambda: ("again!", 403))
    assert client.get("/pay").text == "again!"


def test_a_message_waits_once(site: Site) -> None:
    client = site.app.test_client()
    for _ in range(3):
        client.get("/me")
    with client.session_transaction() as kept:
        assert len(kept["_flashes"]) == 1


def test_the_current_user_may_log_in_again(site: Site) -> None:
    site.app.add_url_rule(
        "/again", "again", lambda: f"{login_user(current_user)} {current_user.id}"
    )
    assert site.logged_in().get("/again").text == "True ada"


def test_the_page_asked_for_may_be_kept_in_the_session(site: Site) -> None:
    site.app.config["USE_SESSION_FOR_NEXT"] = True
    client = site.app.test_client()
    assert client.get("/me?a=b").location == "/login"
    with client.session_transaction() as kept:
        assert kept["next"] == "/me?a=b"


def test_a_login_page_elsewhere_gets_the_whole_url(site: Site) -> None:
    site.manager.login_view = "https://login.example/form?from=here"
    location = site.app.test_client().get("/me").location
    assert location == "https://login.example/form?from=here&next=http%3A%2F%2Flocalhost%2Fme"


def test_blueprints_have_login_pages_of_their_own(site: Site) -> None:
    staff = Blueprint("staff", __name__, url_prefix="/staff")
    staff.add_url_rule("/", "home", login_required(lambda: "home"))
    site.app.register_blueprint(staff)
    with site.app.test_request_context():
        set_login_view("/plain")
        set_login_view("/staff-login", staff)
    client = site.app.test_client()
    assert client.get("/staff/").location == "/staff-login?next=%2Fstaff%2F"
    assert client.get("/me").location == "/plain?next=%2Fme"
    assert site.manager.login_view is None


def test_signals_are_heard(site: Site) -> None:
    heard: list[Any] = []
    for signal in (user_logged_in, user_logged_out):
        signal.connect(lambda app, user: heard.append(user.id), site.app, weak=False)
    for signal in (user_unauthorized, user_needs_refresh):
        signal.connect(lambda app: heard.append("refused"), site.app, weak=False)
    client = site.logged_in()
    client.get("/logout")
    client.get("/me")
    site.remembered().get("/pay")
    assert heard == ["ada", "ada", "refused", "ada", "refused"]


def test_a_guest_of_its_own_and_another_answer(site: Site) -> None:
    class Guest(AnonymousUserMixin):
        id = "guest"

    site.manager.anonymous_user = Guest
    site.manager.unauthorized_handler(lambda: (f"no, {current_user.id}", 403))
    response = site.app.test_client().get("/me")
    assert (response.status_code, response.text) == (403, "no, guest")


def test_a_browser_may_ask_for_options_and_a_test_may_switch_logins_off(site: Site) -> None:
    site.app.add_url_rule(
        "/own-options",
        "own-options",
        login_required(lambda: "asked"),
        methods=["GET", "OPTIONS"],
        provide_automatic_options=False,
    )
    client = site.app.test_client()
    assert client.options("/own-options").text == "asked"
    assert client.get("/own-options").status_code == 302
    site.app.config["LOGIN_DISABLED"] = True
    assert client.get("/own-options").text == "asked"


# -- by the request ------------------------------------------------------------------------------


def test_a_request_can_say_who_it_is(site: Site) -> None:
    asked: list[Any] = []

    @site.manager.request_loader
    def by_token(request: Any) -> User | None:
        asked.append(token := bearer_token())
        return None if token is None else site.users.get(token)

    client = site.app.test_client()
    assert client.get("/me", headers={"Authorization": "Bearer bob"}).text == "bob"
    for header in ("", "Bearer", "Bearer ", "Bearer   ", "Basic Ym9iOng=", "bob"):
        assert client.get("/me", headers={"Authorization": header}).status_code == 302
    assert asked == ["bob", *[None] * 6]


@pytest.mark.parametrize("value", ["Basic !!!", "Basic AAA=", "Basic //8=", "Basic YQ==", "Basic"])
def test_credentials_that_are_none_are_nobody(site: Site, value: str) -> None:
    def load(request: Any) -> Any:
        given = request.authorization
        return site.users.get(given.username) if given is not None else None

    site.manager.request_loader(load)
    client = site.app.test_client()
    assert client.get("/me", headers={"Authorization": value}).status_code == 302


def test_the_old_names_still_work_and_say_so(site: Site) -> None:
    with pytest.warns(DeprecationWarning, match="use request_loader"):
        site.manager.header_loader(lambda header: site.users["bob"] if header == "me" else None)
    client = site.app.test_client()
    assert client.get("/me", headers={"Authorization": "me"}).text == "bob"
    assert client.get("/me", headers={"Authorization": " "}).status_code == 302
    with pytest.warns(DeprecationWarning, match="init_app"):
        site.manager.setup_app(Vial("other", static_folder=None))


# -- the test client -----------------------------------------------------------------------------


def test_a_test_client_can_be_logged_in(site: Site) -> None:
    site.app.test_client_class = FlaskLoginClient
    with site.app.test_client(user=site.users["bob"], fresh_login=False) as client:
        assert client.get("/me").text == "bob"
        assert session["_user_id"] == "bob" and current_user.id == "bob"
        assert not login_remembered()
        assert client.get("/pay").status_code == 401
    assert site.app.test_client(user=site.users["bob"]).get("/pay").text == "paid"
    assert site.app.test_client().get("/me").status_code == 302


def test_nothing_is_spent_without_a_secret_key() -> None:
    app = Vial("bare", static_folder=None)
    manager = LoginManager(app)
    manager.user_loader(lambda id: abort(500))
    app.add_url_rule("/", "page", lambda: str(current_user.is_anonymous))
    app.add_url_rule("/login", "login", lambda: str(login_user(User(request.path))))
    app.testing = True
    assert app.test_client().get("/").text == "True"
    with pytest.raises(RuntimeError, match="secret key"):
        app.test_client().get("/login")

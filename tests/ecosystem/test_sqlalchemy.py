"""Flask-SQLAlchemy: models, and a session that lives as long as the context."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask, jsonify, request, stream_with_context
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.record_queries import get_recorded_queries
from sqlalchemy import ForeignKey, Integer, String, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


def make(uri: str = "sqlite://", **config: Any) -> tuple[Flask, SQLAlchemy, Any]:
    app = Flask(__name__)
    app.config |= {"SQLALCHEMY_DATABASE_URI": uri, **config}
    db = SQLAlchemy(app, model_class=type("Base", (DeclarativeBase,), {}))
    suffix = uuid.uuid4().hex

    class User(db.Model):  # type: ignore[name-defined, misc]
        __tablename__ = f"user_{suffix}"
        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        name: Mapped[str] = mapped_column(String(50), unique=True)
        posts: Mapped[list[Post]] = relationship(back_populates="user")

    class Post(db.Model):  # type: ignore[name-defined, misc]
        __tablename__ = f"post_{suffix}"
        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        user_id: Mapped[int] = mapped_column(ForeignKey(User.id))
        user: Mapped[User] = relationship(back_populates="posts")

    with app.app_context():
        db.create_all()

    @app.post("/users/<name>")
    def create(name: str) -> Any:
        user = User(name=name, posts=[Post(), Post()])
        db.session.add(user)
        db.session.commit()
        return jsonify(id=user.id)

    @app.get("/users/<int:id>")
    def show(id: int) -> Any:
        user = db.get_or_404(User, id, description="nobody")
        return jsonify(name=user.name, posts=len(user.posts))

    @app.get("/users")
    def users() -> Any:
        page = db.paginate(db.select(User).order_by(User.name), per_page=2)
        return jsonify(names=[u.name for u in page], pages=page.pages, total=page.total)

    @app.get("/named")
    def named() -> Any:
        query = db.select(User).filter_by(name=request.args["name"])
        return jsonify(id=db.one_or_404(query).id)

    return app, db, User


def fill(app: Flask, *names: str) -> None:
    for name in names:
        assert app.test_client().post(f"/users/{name}").status_code == 200


def test_rows_are_made_found_and_missed(assert_fast: Any) -> None:
    app, _, _ = make()
    fill(app, "ada")
    client = app.test_client()
    assert client.get("/users/1").json == {"name": "ada", "posts": 2}
    assert client.get("/named?name=ada").json == {"id": 1}
    for path in ("/users/2", "/named?name=bob"):
        assert client.get(path).status_code == 404
    assert "nobody" in client.get("/users/2").text
    assert_fast(app)


def test_a_query_comes_in_pages() -> None:
    app, _, _ = make()
    fill(app, "cid", "ada", "bob")
    client = app.test_client()
    assert client.get("/users").json == {"names": ["ada", "bob"], "pages": 2, "total": 3}
    assert client.get("/users?page=2").json["names"] == ["cid"]
    assert client.get("/users?page=3").status_code == 404


def test_the_session_ends_with_each_context(over_asgi: Any) -> None:
    app, db, User = make()
    seen = []

    @app.get("/dirty")
    def dirty() -> str:
        db.session.add(User(name="never committed"))
        db.session.flush()
        seen.append(db.session())
        return "dirty"

    @app.get("/broken")
    def broken() -> str:
        dirty()
        raise RuntimeError

    app.logger.disabled = True
    for ask in (app.test_client().get, lambda path: over_asgi(app, path)):
        ask("/dirty")
        ask("/broken")
    app.logger.disabled = False
    assert len({id(session) for session in seen}) == 4
    assert not any(session.in_transaction() for session in seen)
    with app.app_context():
        assert db.session.scalars(select(User)).all() == []
    with pytest.raises(RuntimeError, match="application context"):
        db.session.scalars(select(User))


def test_requests_at_the_same_time_have_sessions_of_their_own(over_asgi: Any) -> None:
    app, db, User = make()
    both = threading.Barrier(2, timeout=30)

    @app.get("/alone")
    def alone() -> str:
        user = User(name="one of two")
        db.session.add(user)
        both.wait()
        return str(list(db.session.new) == [user])

    def asked(path: str) -> str:
        return app.test_client().get(path).text

    for ask in (asked, lambda path: over_asgi(app, path).text):
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(ask, ["/alone"] * 2)) == ["True"] * 2


def test_a_context_within_a_request_has_a_session_of_its_own() -> None:
    app, db, _ = make()

    @app.get("/inner")
    def inner() -> Any:
        outer = db.session()
        with app.app_context():
            within = db.session()
        return jsonify(own=within is not outer, same=db.session() is outer)

    assert app.test_client().get("/inner").json == {"own": True, "same": True}


def test_async_views_and_streams_keep_their_session_to_the_end(over_asgi: Any) -> None:
    app, db, User = make()
    ends = []
    app.teardown_appcontext(lambda error: ends.append("end"))

    @app.get("/async")
    async def view() -> Any:
        return jsonify([user.name for user in db.session.scalars(select(User))])

    @app.get("/stream")
    def stream() -> Any:
        def names() -> Any:
            for user in db.session.scalars(select(User)):
                yield f"{user.name} {len(user.posts)} {ends}\n"

        return stream_with_context(names()), {"Content-Type": "text/plain"}

    fill(app, "ada", "bob")
    ends.clear()
    lines = "ada 2 []\nbob 2 []\n"
    assert app.test_client().get("/stream").text == lines
    ends.clear()
    assert over_asgi(app, "/stream").text == lines
    assert ends == ["end"]
    assert app.test_client().get("/async").json == ["ada", "bob"]
    assert over_asgi(app, "/async").text == '["ada","bob"]\n'


def test_the_shell_knows_the_models_and_another_app_is_told_apart() -> None:
    app, db, User = make()
    with app.app_context():
        assert app.make_shell_context().items() >= {"db": db, "User": User}.items()
    with Flask("other").app_context(), pytest.raises(RuntimeError, match="not registered"):
        db.session.scalars(select(User))


def test_several_databases_and_recorded_queries(tmp_path: Any) -> None:
    binds = {"other": f"sqlite:///{tmp_path / 'other.db'}"}
    app, db, User = make(SQLALCHEMY_BINDS=binds, SQLALCHEMY_RECORD_QUERIES=True)

    class Log(db.Model):  # type: ignore[name-defined, misc]
        __bind_key__ = "other"
        id: Mapped[int] = mapped_column(primary_key=True)

    with app.app_context():
        db.create_all()
        db.session.add_all([Log(), User(name="ada")])
        db.session.commit()
        assert db.session.scalar(select(db.func.count()).select_from(Log)) == 1
        with db.engines["other"].connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM log")).scalar() == 1
        assert any("INSERT INTO log" in q.statement for q in get_recorded_queries())


@pytest.mark.service
@pytest.mark.parametrize(
    "uri",
    ["postgresql+psycopg://postgres@127.0.0.1/test", "mysql+pymysql://root@127.0.0.1/test"],
    ids=["postgresql", "mariadb"],
)
def test_real_databases_give_their_connections_back(uri: str, over_asgi: Any) -> None:
    app, db, _ = make(uri, SQLALCHEMY_ENGINE_OPTIONS={"pool_size": 1, "pool_timeout": 2})
    try:
        fill(app, "ada", "bob")
        for _ in range(3):  # more than the pool has
            assert app.test_client().get("/users").json["names"] == ["ada", "bob"]
            assert over_asgi(app, "/users?page=2").status == 404
        app.logger.disabled = True
        assert app.test_client().post("/users/ada").status_code == 500  # there is one already
        assert app.test_client().get("/users").json["total"] == 2
    finally:
        with app.app_context():
            db.drop_all()
            db.engine.dispose()

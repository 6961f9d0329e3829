"""Models and queries as users write them; checked as ``program.py`` is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_type

from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column, relationship

from vial import Vial
from vial.sqlalchemy import KeysetPagination, ModelMixin, SQLAlchemy


class Base(ModelMixin, DeclarativeBase):
    pass


app = Vial(__name__)
db = SQLAlchemy(model_class=Base)
db.init_app(app)


class User(Base):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    posts: Mapped[list[Post]] = relationship(back_populates="author")


class Post(Base):
    __tablename__ = "article"
    __bind_key__ = "texts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("user.id"))
    author: Mapped[User] = relationship(back_populates="posts")


class Data(ModelMixin, MappedAsDataclass, DeclarativeBase):
    pass


data = SQLAlchemy(app, model_class=Data, engine_options={"pool_size": 3})


class Point(Data):
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    x: Mapped[int]


Point(x=1)
Point(y=1)  # type: ignore[call-arg]

# Programs as they always were, whose models checkers know less of.
legacy = SQLAlchemy(app)
legacy.Column(legacy.Integer, primary_key=True)
assert_type(legacy.session.get(User, 1), User | None)


@app.get("/<int:number>")
def show(number: int) -> dict[str, Any]:
    user = db.get_or_404(User, number, description="nobody")
    assert_type(user, User)
    assert_type(user.name, str | None)
    assert_type(db.session.scalars(db.select(User)).all(), Sequence[User])
    assert_type(User.query.get_or_404(number), User)
    assert_type(User.query.filter_by(name="x").first_or_404(), User)
    page = db.paginate(db.select(User).order_by(User.name), per_page=10, max_per_page=50)
    return {
        "pages": list(page.iter_pages()),
        "next": page.next_num,
        "names": [u.name for u in page],
    }


@app.get("/async/<int:number>")
async def show_async(number: int) -> list[str | None]:
    user = await db.async_session.get_or_404(User, number)
    assert_type(user, User)
    user.name = "x"
    await db.async_session.commit()
    assert_type(db.async_engine, AsyncEngine)
    page = await db.async_session.paginate_keyset(db.select(User).order_by(User.name))
    assert_type(page, KeysetPagination)
    return [user.name for user in await db.async_session.scalars(db.select(User))]


db.select(User).where(User.id == 1, User.nonsense)  # type: ignore[attr-defined]
db.paginate(User)  # type: ignore[arg-type]

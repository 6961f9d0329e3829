"""Pages, by number and by key, and how they are counted; on each database."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import uuid
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from databases import EACH, database
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload
from werkzeug.exceptions import NotFound

from vial import Vial
from vial.flask_mode import Flask
from vial.sqlalchemy import KeysetPagination, ModelMixin, SQLAlchemy
from vial.sqlalchemy.record_queries import get_recorded_queries


class Base(ModelMixin, DeclarativeBase):
    pass


class Item(Base):
    id: Mapped[int] = mapped_column(primary_key=True)
    rank: Mapped[int]
    made: Mapped[datetime.datetime]
    note: Mapped[str | None] = mapped_column(sa.String(20))
    tags: Mapped[list[Tag]] = relationship()


class Tag(Base):
    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(sa.ForeignKey("item.id"))


class Deed(Base):
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(10))
    __mapper_args__: Any = {"polymorphic_on": "kind", "polymorphic_identity": "any"}  # noqa: RUF012


class GoodDeed(Deed):
    __mapper_args__: Any = {"polymorphic_identity": "good"}  # noqa: RUF012


START = datetime.datetime(2024, 2, 29, 12, 30, 0, 123456)


def fill(db: Any) -> None:
    for n in range(1, 24):
        made = START + datetime.timedelta(microseconds=n // 4)
        db.session.add(Item(id=n, rank=n % 5, made=made, tags=[Tag(), Tag()][: n % 3]))
    db.session.add_all([Deed(), GoodDeed(), GoodDeed()])
    db.session.commit()


def make_db(url: str, folder: Path, cls: type[Vial] = Vial) -> Any:
    app = cls("pages", instance_path=str(folder))
    app.secret_key = "a key for tests only"
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_RECORD_QUERIES=True)
    db: Any = SQLAlchemy(app, model_class=Base)
    db.app = app
    return db


@pytest.fixture(params=EACH, scope="module")
def filled(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("pages")
    with database(request.param, folder) as url:
        db = make_db(url, folder)
        with db.app.app_context():
            # MariaDB keeps no microseconds unless it is told to.
            for column in Item.__table__.columns:
                if column.name == "made" and request.param == "mariadb":
                    column.type = sa.dialects.mysql.DATETIME(fsp=6)
            db.create_all()
            fill(db)
        yield db
        with db.app.app_context():
            db.engine.dispose()


@pytest.fixture
def db(filled: Any) -> Iterator[Any]:
    with filled.app.test_request_context("/"):
        yield filled


def at(db: Any, query: str) -> Any:
    return db.app.test_request_context(f"/?{query}")


def test_a_page_has_its_items_and_knows_the_others(db: Any) -> None:
    page = db.paginate(db.select(Item).order_by(Item.id), page=2, per_page=10)
    assert [item.id for item in page] == list(range(11, 21))
    assert (page.total, page.pages, page.first, page.last) == (23, 3, 11, 20)
    assert (page.has_prev, page.prev_num, page.has_next, page.next_num) == (True, 1, True, 3)
    last = page.next()
    assert [item.id for item in last.items] == [21, 22, 23]
    assert (last.has_next, last.next_num, last.last) == (False, None, 23)
    assert [item.id for item in last.prev().prev()] == list(range(1, 11))
    with pytest.raises(NotFound):
        last.next(error_out=True)
    assert last.next().items == []


def test_an_empty_list_has_one_empty_page(db: Any) -> None:
    page = db.paginate(db.select(Item).where(Item.id < 0))
    assert (page.items, page.total, page.pages, page.first, page.last) == ([], 0, 0, 0, 0)
    assert list(page.iter_pages()) == []
    with pytest.raises(NotFound):
        db.paginate(db.select(Item).where(Item.id < 0), page=2)


@pytest.mark.parametrize(
    ("query", "page", "per_page"),
    [
        ("", 1, 20),
        ("page=2", 2, 20),
        ("page=2&per_page=7", 2, 7),
        ("per_page=5000", 1, 100),
        ("page=%31", 1, 20),
    ],
)
def test_the_query_string_chooses(db: Any, query: str, page: int, per_page: int) -> None:
    with at(db, query):
        found = db.paginate(db.select(Item))
    assert (found.page, found.per_page) == (page, per_page)


NO_PAGES = """page=0 page=-1 page=x page= page=1.5 page=%00 page=9 page=99999999999999999999999
per_page=0 per_page=a page=1&page=2&per_page=-1"""


@pytest.mark.parametrize("query", NO_PAGES.split())
def test_a_page_that_is_none_is_404_or_the_first(db: Any, query: str) -> None:
    with at(db, query):
        with pytest.raises(NotFound):
            db.paginate(db.select(Item))
        found = db.paginate(db.select(Item), error_out=False)
    assert (found.page, found.per_page) == (9 if query == "page=9" else 1, 20)


def test_what_a_program_says_is_bound_by_its_own_limit_only(db: Any) -> None:
    with at(db, "page=2&per_page=7"):
        assert db.paginate(db.select(Item), page=1, per_page=500).per_page == 500
        assert db.paginate(db.select(Item), max_per_page=5).per_page == 5


def test_flask_mode_has_no_limit(tmp_path: Path) -> None:
    db = make_db("sqlite://", tmp_path, Flask)
    with at(db, "per_page=5000"):
        db.create_all()
        assert db.paginate(db.select(Item)).per_page == 5000
        db.session.remove()
        db.engine.dispose()


def test_links_leave_out_what_is_far_away(db: Any) -> None:
    page = db.paginate(db.select(Item), page=10, per_page=1)
    assert list(page.iter_pages()) == [1, 2, None, 8, 9, 10, 11, 12, 13, 14, None, 22, 23]
    few = page.iter_pages(left_edge=0, left_current=1, right_current=1, right_edge=0)
    assert list(few) == [None, 9, 10, 11, None]


def test_a_page_that_is_not_counted_knows_no_total(db: Any) -> None:
    page = db.paginate(db.select(Item), count=False)
    assert (page.total, page.pages, page.has_next) == (None, 0, False)
    assert len(statements(db, lambda: db.paginate(db.select(Item), count=False))) == 1


def statements(db: Any, action: Any) -> list[str]:
    before = len(get_recorded_queries())
    action()
    return [str(query.statement) for query in get_recorded_queries()[before:]]


def test_the_count_reads_no_columns_and_no_order(db: Any) -> None:
    ordered = db.select(Item).where(Item.rank > 1).order_by(Item.made, Item.id)
    count = statements(db, lambda: db.paginate(ordered))[1]
    assert "count(*)" in count
    assert "ORDER BY" not in count
    assert "made" not in count
    assert count.count("SELECT") == 1


def test_the_count_is_that_of_the_rows(db: Any) -> None:
    sa_ = db
    for statement, total in {
        "join": (db.select(Item).join(Item.tags), 24),
        "distinct": (db.select(Item.rank).distinct(), 5),
        "group": (db.select(Item.rank, sa_.func.count()).group_by(Item.rank), 5),
        "aggregate": (db.select(sa_.func.count(Item.id)), 1),
        "limit": (db.select(Item).limit(7), 7),
        "single inheritance": (db.select(GoodDeed), 2),
        "two models": (db.select(GoodDeed, Item).where(Item.id == GoodDeed.id), 2),
        "alias": (db.select(sa_.aliased(GoodDeed)), 2),
        "from": (db.select(Item.id).select_from(Tag).join(Item), 24),
        "eager": (db.select(Item).options(selectinload(Item.tags)), 23),
        "joined eager": (db.select(Item).options(sa_.joinedload(Item.tags)), 23),
    }.values():
        assert db.paginate(statement, per_page=3).total == total, statement


def test_a_legacy_query_has_pages_and_answers_404(db: Any) -> None:
    page = Item.query.order_by(Item.id).paginate(page=3, per_page=10)
    assert ([item.id for item in page], page.total) == ([21, 22, 23], 23)
    assert page.prev().items[0].id == 11
    assert Item.query.get_or_404(3).id == 3
    assert Item.query.filter_by(id=4).one_or_404().id == 4
    for miss in (
        lambda: Item.query.get_or_404(99, description="no such item"),
        lambda: Item.query.filter_by(id=99).first_or_404("no such item"),
        lambda: Item.query.one_or_404("no such item"),
        lambda: db.get_or_404(Item, 99, description="no such item"),
        lambda: db.first_or_404(db.select(Item).where(Item.id == 99), description="no such item"),
        lambda: db.one_or_404(db.select(Item), description="no such item"),
    ):
        with pytest.raises(NotFound, match="no such item"):
            miss()
    assert db.first_or_404(db.select(Item.id).order_by(Item.id)) == 1
    assert db.one_or_404(db.select(Item).where(Item.id == 5)).id == 5


@pytest.mark.parametrize("number", [2**31, 2**63, 10**30, -(10**30)])
def test_a_key_that_no_row_can_have_is_404(db: Any, number: int) -> None:
    for miss in (
        lambda: db.get_or_404(Item, number),
        lambda: Item.query.get_or_404(number),
        lambda: Item.query.filter_by(id=number).first_or_404(),
        lambda: db.one_or_404(db.select(Item).where(Item.id == number)),
        lambda: db.first_or_404(db.select(Item).where(Item.note == "a\0b")),
    ):
        with pytest.raises(NotFound):
            miss()
        db.session.rollback()
    assert db.get_or_404(Item, 3).id == 3


ORDERS: dict[str, Any] = {
    "primary key": list,
    "rising": lambda: [Item.rank, Item.id],
    "falling, primary key added": lambda: [Item.made.desc()],
    "mixed": lambda: [Item.rank.desc(), Item.made, Item.id.desc()],
    "expression": lambda: [sa.func.coalesce(Item.note, "none"), (Item.rank * 2).desc()],
}


@pytest.mark.parametrize("order", ORDERS)
def test_pages_by_key_show_each_item_once_in_both_directions(db: Any, order: str) -> None:
    statement = db.select(Item).order_by(*ORDERS[order]())
    pages = [db.paginate_keyset(statement, per_page=5)]
    while pages[-1].has_next:
        pages.append(db.paginate_keyset(statement, cursor=pages[-1].next_cursor, per_page=5))
    ids = [[item.id for item in page] for page in pages]
    assert [len(page) for page in ids] == [5, 5, 5, 5, 3]
    assert sorted(chain.from_iterable(ids)) == list(range(1, 24))
    ranks = [item.rank for page in pages for item in page]
    if order == "rising":
        assert ranks == sorted(ranks)
    back = [pages[-1]]
    while back[-1].has_prev:
        back.append(db.paginate_keyset(statement, cursor=back[-1].prev_cursor, per_page=5))
    assert [[item.id for item in page] for page in reversed(back)] == ids
    assert not pages[0].has_prev


def test_a_page_by_key_that_came_from_the_end_has_a_next_one(db: Any) -> None:
    first = db.paginate_keyset(db.select(Item), per_page=5)
    second = db.paginate_keyset(db.select(Item), cursor=first.next_cursor, per_page=5)
    again = db.paginate_keyset(db.select(Item), cursor=second.prev_cursor, per_page=5)
    assert (again.has_prev, again.has_next) == (False, True)
    assert [item.id for item in again] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("change", ["x", "", "abc.def.ghi", "é", "\0", "A" * 5000, "1"])
def test_a_cursor_that_is_not_ours_is_404_or_the_first_page(db: Any, change: str) -> None:
    with db.app.test_request_context("/", query_string={"cursor": change}):
        if change:
            with pytest.raises(NotFound):
                db.paginate_keyset(db.select(Item))
        page = db.paginate_keyset(db.select(Item), error_out=False, per_page=2)
    assert [item.id for item in page] == [1, 2]


def test_a_cursor_is_good_for_its_order_and_its_key_only(db: Any) -> None:
    cursor = db.paginate_keyset(db.select(Item), per_page=5).next_cursor
    for statement in (
        db.select(Item).order_by(Item.rank),
        db.select(Item).order_by(Item.id.desc()),
    ):
        with pytest.raises(NotFound):
            db.paginate_keyset(statement, cursor=cursor)
    db.app.secret_key = "another"
    try:
        with pytest.raises(NotFound):
            db.paginate_keyset(db.select(Item), cursor=cursor)
    finally:
        db.app.secret_key = "a key for tests only"


def test_what_may_be_null_orders_no_pages_by_key(db: Any) -> None:
    for order in (Item.note, Item.note.desc(), Item.rank.desc().nulls_last()):
        with pytest.raises(TypeError, match="NULL"):
            db.paginate_keyset(db.select(Item).order_by(order))
    with pytest.raises(TypeError, match="a select\\(\\) of a model"):
        db.paginate_keyset(db.select(sa.func.count()))


@pytest.mark.parametrize(
    "value",
    [
        1,
        "text",
        1.5,
        True,
        START,
        START.replace(tzinfo=datetime.UTC),
        START.date(),
        START.time(),
        decimal.Decimal("1.10"),
        uuid.UUID(int=5),
        b"\0\xff",
    ],
)
def test_values_come_out_of_a_cursor_as_they_went_in(value: Any) -> None:
    from vial.sqlalchemy.keyset import _from_json, _to_json

    out = _from_json(_to_json(value))
    assert out == value
    assert type(out) is type(value)


def test_values_that_no_cursor_takes_are_named() -> None:
    from vial.sqlalchemy.keyset import _to_json

    with pytest.raises(TypeError, match="1j"):
        _to_json(1j)


def test_async_sessions_have_the_same_methods(filled: Any) -> None:
    db = filled

    async def main() -> None:
        async with db.app.test_request_context("/?page=2&per_page=10"):
            session = db.async_session
            page = await session.paginate(db.select(Item).order_by(Item.id))
            assert (page.items[0].id, page.total) == (11, 23)
            last = await session.run_sync(lambda _: page.next())
            assert [item.id for item in last] == [21, 22, 23]
            by_key = await session.paginate_keyset(db.select(Item), per_page=2)
            assert isinstance(by_key, KeysetPagination)
            assert (await session.get_or_404(Item, 3)).id == 3
            assert (await session.one_or_404(db.select(Item).where(Item.id == 3))).id == 3
            assert await session.first_or_404(db.select(Item.id).order_by(Item.id)) == 1
            with pytest.raises(NotFound):
                await session.get_or_404(Item, 99)
            await db.dispose()

    asyncio.run(main())

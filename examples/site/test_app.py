from app import app, greeting


def test_the_greeting_follows_the_clock():
    assert greeting(8) == "Good morning"
    assert greeting(12) == "Good afternoon"
    assert greeting(23) == "Good evening"


def test_visits_are_counted():
    client = app.test_client()
    assert "first time" in client.get("/").text
    assert "2 times" in client.get("/").text


def test_teas_can_be_chosen_by_kind():
    page = app.test_client().get("/teas?kind=green").text
    assert "Sencha" in page
    assert "Assam" not in page


def test_each_tea_has_a_page():
    assert "bergamot" in app.test_client().get("/teas/earl-grey").text


def test_a_page_that_is_not_there_says_so_kindly():
    answer = app.test_client().get("/coffee")
    assert answer.status_code == 404
    assert "no such page" in answer.text

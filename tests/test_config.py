from __future__ import annotations

import json
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask.config
import pytest

import vial.config

# Every case runs on both: a difference between the two is a defect of ours.
BOTH = pytest.mark.parametrize("module", [flask.config, vial.config], ids=["flask", "vial"])


class Settings:
    TESTING = True
    SECRET_KEY = "from the class"
    Mixed = 1
    lower = 2

    @property
    def COMPUTED(self) -> str:
        return "computed"


@BOTH
def test_a_config_is_a_dict_that_starts_with_the_defaults(module: Any, tmp_path: Path) -> None:
    defaults = {"DEBUG": False}
    config = module.Config(tmp_path, defaults)
    config["DEBUG"] = True
    assert defaults == {"DEBUG": False}
    assert config == {"DEBUG": True}
    assert isinstance(config, dict)
    assert config.root_path == tmp_path
    assert repr(config) == "<Config {'DEBUG': True}>"


@BOTH
def test_from_object_takes_upper_case_attributes_only(module: Any) -> None:
    config = module.Config("/")
    config.from_object(Settings())
    assert config == {
        "TESTING": True,
        "SECRET_KEY": "from the class",
        "COMPUTED": "computed",
    }


@BOTH
def test_from_object_imports_what_a_string_names(module: Any) -> None:
    config = module.Config("/")
    config.from_object(f"{__name__}.Settings")
    assert config["SECRET_KEY"] == "from the class"
    config.from_object(__name__)
    assert config["BOTH"] is BOTH
    with pytest.raises(ImportError, match="no_such_settings"):
        config.from_object("no_such_settings.module")


@BOTH
def test_from_pyfile_runs_a_file_below_the_root_path(module: Any, tmp_path: Path) -> None:
    (tmp_path / "site.cfg").write_text("base = 2\nSIZE = base * 3\nPLACE = __file__\n")
    config = module.Config(tmp_path)
    assert config.from_pyfile("site.cfg") is True
    assert config == {"SIZE": 6, "PLACE": str(tmp_path / "site.cfg")}


@BOTH
def test_from_pyfile_reads_the_encoding_the_file_declares(module: Any, tmp_path: Path) -> None:
    (tmp_path / "latin.cfg").write_bytes(
        "# -*- coding: latin-1 -*-\nNAME = 'é'\n".encode("latin-1")
    )
    config = module.Config(tmp_path)
    config.from_pyfile("latin.cfg")
    assert config["NAME"] == "é"


@BOTH
@pytest.mark.parametrize("read", ["from_pyfile", "from_file"])
def test_a_missing_file_is_an_error_that_names_it_unless_silent(
    module: Any, read: str, tmp_path: Path
) -> None:
    config = module.Config(tmp_path)
    arguments = {"load": json.load} if read == "from_file" else {}
    assert getattr(config, read)("no.cfg", silent=True, **arguments) is False
    assert getattr(config, read)(tmp_path, silent=True, **arguments) is False
    with pytest.raises(FileNotFoundError, match="Unable to load configuration file") as caught:
        getattr(config, read)("no.cfg", **arguments)
    assert str(tmp_path / "no.cfg") in str(caught.value)


@BOTH
def test_a_path_through_a_file_is_missing_for_pyfile_only(module: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = module.Config(tmp_path)
    assert config.from_pyfile("file/no.cfg", silent=True) is False
    with pytest.raises(NotADirectoryError):
        config.from_file("file/no.json", load=json.load, silent=True)


@BOTH
def test_from_file_reads_text_or_bytes_with_the_given_loader(module: Any, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"A": 1, "b": 2}')
    (tmp_path / "a.toml").write_text("A = 2\n[B]\nc = 3\n")
    config = module.Config(str(tmp_path))
    assert config.from_file("a.json", load=json.load) is True
    assert config == {"A": 1}
    assert config.from_file("a.toml", load=tomllib.load, text=False) is True
    assert config == {"A": 2, "B": {"c": 3}}


@BOTH
@pytest.mark.parametrize("value", [None, ""])
def test_from_envvar_wants_the_variable_to_be_set(
    module: Any, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SITE_SETTINGS", raising=False)
    if value is not None:
        monkeypatch.setenv("SITE_SETTINGS", value)
    config = module.Config("/")
    assert config.from_envvar("SITE_SETTINGS", silent=True) is False
    with pytest.raises(RuntimeError, match="'SITE_SETTINGS' is not set"):
        config.from_envvar("SITE_SETTINGS")


@BOTH
def test_from_envvar_reads_the_file_the_variable_names(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site.py").write_text("A = 1")
    monkeypatch.setenv("SITE_SETTINGS", str(tmp_path / "site.py"))
    config = module.Config("/")
    assert config.from_envvar("SITE_SETTINGS") is True
    assert config == {"A": 1}
    monkeypatch.setenv("SITE_SETTINGS", str(tmp_path / "gone.py"))
    assert config.from_envvar("SITE_SETTINGS", silent=True) is False
    with pytest.raises(FileNotFoundError):
        config.from_envvar("SITE_SETTINGS")


@BOTH
def test_prefixed_variables_are_json_where_they_can_be(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"A": "1", "B": "true", "C": "plain", "D": "[1, null]", "lower": "x", "E": '"q"'}
    for name, value in values.items():
        monkeypatch.setenv(f"SITE_{name}", value)
    monkeypatch.setenv("OTHER_A", "2")
    config = module.Config("/")
    assert config.from_prefixed_env("SITE") is True
    assert config == {"A": 1, "B": True, "C": "plain", "D": [1, None], "lower": "x", "E": "q"}


@BOTH
def test_prefixed_variables_use_the_flask_prefix_and_a_given_loader(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_SOME_SETTING", "12")
    config = module.Config("/")
    config.from_prefixed_env(loads=str.upper)
    assert config["SOME_SETTING"] == "12"
    config.from_prefixed_env()
    assert config["SOME_SETTING"] == 12


@BOTH
def test_double_underscores_reach_into_dicts(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE_DB__HOST", "local")
    monkeypatch.setenv("SITE_DB__POOL__SIZE", "4")
    monkeypatch.setenv("SITE_NEW__deep__DEEPER", "1")
    config = module.Config("/", {"DB": {"HOST": "old", "PORT": 1}})
    config.from_prefixed_env("SITE")
    assert config == {
        "DB": {"HOST": "local", "PORT": 1, "POOL": {"SIZE": 4}},
        "NEW": {"deep": {"DEEPER": 1}},
    }


@BOTH
@pytest.mark.parametrize("held", ["text", 3, [1]])
def test_a_nested_variable_below_a_plain_value_is_a_type_error(
    module: Any, held: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_DB__HOST", "local")
    with pytest.raises(TypeError):
        module.Config("/", {"DB": held}).from_prefixed_env("SITE")


def test_the_error_for_a_nested_variable_names_it_and_the_value_in_its_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SITE_DB__HOST", "local")
    with pytest.raises(TypeError, match=r"'SITE_DB__HOST' .* 'DB', which already holds 'sqlite'"):
        vial.config.Config("/", {"DB": "sqlite"}).from_prefixed_env("SITE")


@BOTH
def test_from_mapping_takes_mappings_pairs_and_keywords(module: Any) -> None:
    config = module.Config("/")
    assert config.from_mapping({"A": 1, "b": 2}, C=3, d=4) is True
    assert config.from_mapping([("E", 5), ("A", 6)], A=7) is True
    assert config.from_mapping() is True
    assert config == {"A": 7, "C": 3, "E": 5}
    with pytest.raises(TypeError):
        config.from_mapping({}, {})


@BOTH
def test_a_namespace_becomes_keyword_arguments(module: Any) -> None:
    config = module.Config("/", {"MAIL_HOST": "h", "MAIL_PORT": 25, "MAILX": 0, "OTHER_X": 1})
    assert config.get_namespace("MAIL_") == {"host": "h", "port": 25}
    assert config.get_namespace("MAIL_", lowercase=False) == {"HOST": "h", "PORT": 25}
    assert config.get_namespace("MAIL_", trim_namespace=False) == {
        "mail_host": "h",
        "mail_port": 25,
    }
    assert config.get_namespace("NONE_") == {}


@BOTH
def test_a_config_attribute_reads_and_writes_the_config_of_its_app(module: Any) -> None:
    class App(SimpleNamespace):
        secret_key = module.ConfigAttribute("SECRET_KEY")
        lifetime = module.ConfigAttribute("LIFETIME", get_converter=lambda days: days * 24)

    app = App(config=module.Config("/", {"SECRET_KEY": None, "LIFETIME": 2}))
    assert app.secret_key is None
    app.secret_key = "s"
    app.lifetime = 3
    assert app.config == {"SECRET_KEY": "s", "LIFETIME": 3}
    assert app.lifetime == 72
    assert App.secret_key.__name__ == "SECRET_KEY"

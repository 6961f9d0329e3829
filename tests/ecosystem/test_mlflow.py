"""MLflow's tracking server, by uvicorn, and with accounts by gunicorn, asked by its client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ecosystem.running import Running, running

pytestmark = pytest.mark.service

# One process is enough, and those that wait for background jobs take as long to start as it does.
SERVER = ("mlflow", "server", "--port", "{port}", "--workers", "1")
ADMIN = ("admin", "correct-horse-9")
ENV = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[1],
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "secret",
}
ACCOUNTS = ("--gunicorn-opts", "--no-control-socket", "--app-name", "basic-auth")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("mlflow"), *SERVER, ready="/health", **ENV) as server:
        yield server


@pytest.fixture
def mlflow(server: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The package, as a client of the server."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    import mlflow

    mlflow.set_tracking_uri(server.url)
    mlflow.set_registry_uri(server.url)
    yield mlflow
    while mlflow.active_run():
        mlflow.end_run()


def assert_served_on_vial(server: Running, by: str) -> None:
    server.assert_on_vial()
    assert any(found["apps"] for found in server.flasks() if by in found["argv"][0])


def test_every_process_is_on_vial(server: Running) -> None:
    assert_served_on_vial(server, "uvicorn")


def test_the_page_and_its_files(server: Running) -> None:
    page = server.ask("/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    (script,) = [part for part in page.text.split('"') if part.startswith("static-files/static/js")]
    answer = server.ask(f"/{script}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (
        (200, "text/javascript; charset=utf-8")
    )
    assert len(answer.content) == int(answer.headers["Content-Length"])
    again = server.ask(f"/{script}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert server.ask("/static-files/none.js").status_code == 404
    assert server.ask("/health").text == "OK"


def test_the_hooks_that_guard_it(server: Running) -> None:
    answer = server.ask("/health")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert server.ask("/", headers={"Host": "evil.example"}).status_code == 403
    path = "/api/2.0/mlflow/experiments/create"
    for origin, status in (("http://evil.example", 403), ("http://localhost:3000", 200)):
        headers = {"Origin": origin}
        answer = server.ask(path, "POST", json={"name": origin}, headers=headers)
        assert answer.status_code == status


def test_a_run_with_all_that_belongs_to_it(mlflow: Any, server: Running, tmp_path: Path) -> None:
    experiment = mlflow.set_experiment("ünïversal")
    with mlflow.start_run(run_name="first") as run:
        mlflow.log_params({"rate": 0.1, "name": "ü & <b>"})
        for step in range(20):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"accuracy": 0.9, "recall": 0.8})
        mlflow.set_tag("stage", "test")
        mlflow.log_text("text ü", "notes/note.txt")
        mlflow.log_dict({"a": [1, None]}, "data.json")
        (tmp_path / "large").write_bytes(bytes(range(256)) * 20_000)
        mlflow.log_artifact(str(tmp_path / "large"))

    client = mlflow.MlflowClient()
    found = client.get_run(run.info.run_id)
    assert found.data.params == {"rate": "0.1", "name": "ü & <b>"}
    assert found.data.metrics == {"loss": 0.05, "accuracy": 0.9, "recall": 0.8}
    assert (found.data.tags["stage"], found.info.status) == ("test", "FINISHED")
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [m.value for m in history] == [1 / (step + 1) for step in range(20)]
    good = mlflow.search_runs([experiment.experiment_id], "metrics.accuracy > 0.5")
    assert [*good["run_id"]] == [run.info.run_id]
    assert mlflow.search_runs([experiment.experiment_id], "metrics.accuracy > 0.95").empty

    assert {f.path for f in client.list_artifacts(run.info.run_id)} == {
        "notes",
        "data.json",
        "large",
    }
    assert mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/data.json") == {"a": [1, None]}
    local = client.download_artifacts(run.info.run_id, "large", str(tmp_path / "back"))
    assert Path(local).read_bytes() == (tmp_path / "large").read_bytes()
    shown = server.ask(f"/get-artifact?run_id={run.info.run_id}&path=notes/note.txt")
    assert shown.content == "text ü".encode()
    assert "attachment" in shown.headers["Content-Disposition"]


def test_a_model_from_the_registry_predicts(mlflow: Any) -> None:
    class Doubling(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def predict(self, context: Any, model_input: list[float]) -> list[float]:
            return [2 * value for value in model_input]

    mlflow.set_experiment("models")
    with mlflow.start_run():
        logged = mlflow.pyfunc.log_model(name="model", python_model=Doubling(), pip_requirements=[])
    version = mlflow.register_model(logged.model_uri, "doubling")
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("doubling", "best", version.version)
    client.update_registered_model("doubling", description="twice")
    (model,) = client.search_registered_models("name LIKE 'doub%'")
    assert (model.description, model.aliases) == ("twice", {"best": version.version})
    assert mlflow.pyfunc.load_model("models:/doubling@best").predict([1.5]) == [3.0]
    client.delete_registered_model("doubling")
    assert client.search_registered_models() == []


def test_errors_are_told_to_the_client(mlflow: Any) -> None:
    client = mlflow.MlflowClient()

    def code_of(call: Callable[..., Any], *args: Any) -> str:
        with pytest.raises(mlflow.exceptions.MlflowException) as refused:
            call(*args)
        return str(refused.value.error_code)

    experiment = client.create_experiment("once")
    assert code_of(client.create_experiment, "once") == "RESOURCE_ALREADY_EXISTS"
    assert code_of(client.get_run, "0" * 32) == "RESOURCE_DOES_NOT_EXIST"
    run = client.create_run(experiment)
    client.log_param(run.info.run_id, "a", 1)
    assert code_of(client.log_param, run.info.run_id, "a", 2) == "INVALID_PARAMETER_VALUE"


def test_accounts(tmp_path: Path) -> None:
    user = ("user", "battery-staple-8")
    with running(tmp_path, *SERVER, *ACCOUNTS, ready="/health", **ENV) as server:
        assert_served_on_vial(server, "gunicorn")
        refused = server.ask("/")
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == 'Basic realm="mlflow"'
        assert server.ask("/signup", auth=ADMIN).text.count('name="csrf_token"') == 1
        account = {"username": user[0], "password": user[1]}
        made = server.ask("/api/2.0/mlflow/users/create", "POST", json=account, auth=ADMIN)
        assert made.status_code == 200
        path = "/api/2.0/mlflow/experiments"
        for owner, status in ((user, 200), (ADMIN, 403)):
            mine = server.ask(f"{path}/create", "POST", json={"name": owner[0]}, auth=owner).json()
            assert server.ask(f"{path}/delete", "POST", json=mine, auth=user).status_code == status

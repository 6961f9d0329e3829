"""moto_server: the clouds' APIs, asked by their own client, boto3."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from ecosystem.running import Running, running

pytestmark = pytest.mark.service

LARGE = bytes(range(256)) * 40_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    command = "moto_server", "--port", "{port}"
    with running(tmp_path_factory.mktemp("moto"), *command, ready="/moto-api/") as server:
        yield server


@pytest.fixture
def aws(server: Running) -> Iterator[Callable[[str], Any]]:
    """A client for a service, by its name; at the end the server forgets everything."""
    settings = {
        "endpoint_url": server.url,
        "region_name": "us-east-1",
        "aws_access_key_id": "key",
        "aws_secret_access_key": "secret",
        # Of a second answer a test should know.
        "config": Config(proxies={}, retries={"total_max_attempts": 1}),
    }
    yield lambda service: boto3.client(service, **settings)
    assert server.ask("/moto-api/reset", "POST").json() == {"status": "ok"}


@pytest.fixture
def s3(aws: Callable[[str], Any]) -> Any:
    client = aws("s3")
    client.create_bucket(Bucket="bucket")
    return client


def body_of(s3: Any, key: str, **options: Any) -> bytes:
    return s3.get_object(Bucket="bucket", Key=key, **options)["Body"].read()  # type: ignore[no-any-return]


def code_of(call: Callable[..., Any], **options: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**options)
    return str(refused.value.response["Error"]["Code"])


def test_the_server_is_on_vial(server: Running) -> None:
    server.assert_on_vial()


@pytest.mark.parametrize("key", ["a.txt", "ü/ñ x+y%&=.txt", "a//b", "/first", "dir/./x", "~*'()!"])
def test_objects_are_what_was_put(s3: Any, key: str) -> None:
    s3.put_object(Bucket="bucket", Key=key, Body=b"text", ContentType="text/x", Metadata={"k": "v"})
    head = s3.head_object(Bucket="bucket", Key=key)
    assert (head["ContentType"], head["ContentLength"], head["Metadata"]) == (
        ("text/x", 4, {"k": "v"})
    )
    assert body_of(s3, key) == b"text"
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="bucket")["Contents"]] == [key]


def test_a_large_object_and_a_part_of_it(s3: Any) -> None:
    put = s3.put_object(Bucket="bucket", Key="large", Body=LARGE)
    assert put["ETag"] == f'"{hashlib.md5(LARGE).hexdigest()}"'
    assert body_of(s3, "large") == LARGE
    assert body_of(s3, "large", Range="bytes=256-258") == b"\x00\x01\x02"
    assert code_of(s3.get_object, Bucket="bucket", Key="large", Range="bytes=99999999-") == (
        "InvalidRange"
    )


def test_an_upload_in_parts(s3: Any) -> None:
    where = {"Bucket": "bucket", "Key": "parts"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    pieces = [LARGE[:6_000_000], LARGE[6_000_000:]]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=piece)["ETag"]}
        for n, piece in enumerate(pieces, 1)
    ]
    sizes = [part["Size"] for part in s3.list_parts(**upload)["Parts"]]
    assert sizes == [len(piece) for piece in pieces]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert body_of(s3, "parts") == LARGE


def test_lists_come_in_pages(s3: Any) -> None:
    for n in range(7):
        s3.put_object(Bucket="bucket", Key=f"dir/{n}" if n % 2 else f"{n}", Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="bucket", PaginationConfig={"PageSize": 3}
    )
    assert [len(page["Contents"]) for page in pages] == [3, 3, 1]
    top = s3.list_objects_v2(Bucket="bucket", Delimiter="/")
    assert [prefix["Prefix"] for prefix in top["CommonPrefixes"]] == ["dir/"]
    assert [o["Key"] for o in top["Contents"]] == ["0", "2", "4", "6"]


def test_objects_and_buckets_are_deleted(s3: Any) -> None:
    for key in ("a", "b", "c"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"")
    assert code_of(s3.delete_bucket, Bucket="bucket") == "BucketNotEmpty"
    s3.delete_object(Bucket="bucket", Key="a")
    assert code_of(s3.get_object, Bucket="bucket", Key="a") == "NoSuchKey"
    s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "b"}, {"Key": "c"}]})
    s3.delete_bucket(Bucket="bucket")
    assert s3.list_buckets()["Buckets"] == []


def test_a_signed_url_takes_a_body_in_chunks(server: Running, s3: Any) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "signed"})
    chunks = iter([b"first ", b"second"])
    assert server.ask(url.removeprefix(server.url), "PUT", data=chunks).status_code == 200
    assert body_of(s3, "signed") == b"first second"


def test_a_form_uploads_a_file(server: Running, s3: Any) -> None:
    form = s3.generate_presigned_post("bucket", "posted")
    answer = server.ask("/bucket", "POST", data=form["fields"], files={"file": ("f", LARGE)})
    assert answer.status_code == 204
    assert body_of(s3, "posted") == LARGE


def test_dynamodb(aws: Callable[[str], Any]) -> None:
    table = {"TableName": "table"}
    db = aws("dynamodb")
    db.create_table(
        **table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    item = {"id": {"S": "ü"}, "n": {"N": "1.5"}, "b": {"B": b"\x00\xff"}, "l": {"L": []}}
    db.put_item(**table, Item=item)
    assert db.get_item(**table, Key={"id": {"S": "ü"}})["Item"] == item
    found = db.query(
        **table,
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": {"S": "ü"}},
    )
    assert found["Items"] == [item]
    once = {"Item": item, "ConditionExpression": "attribute_not_exists(id)"}
    assert code_of(db.put_item, **table, **once) == "ConditionalCheckFailedException"
    assert code_of(db.scan, TableName="none") == "ResourceNotFoundException"


def test_sqs(aws: Callable[[str], Any]) -> None:
    sqs = aws("sqs")
    queue = {"QueueUrl": sqs.create_queue(QueueName="queue")["QueueUrl"]}
    sqs.send_message(**queue, MessageBody="tëxt & <more>")
    (message,) = sqs.receive_message(**queue)["Messages"]
    assert message["Body"] == "tëxt & <more>"
    sqs.delete_message(**queue, ReceiptHandle=message["ReceiptHandle"])
    attributes = sqs.get_queue_attributes(**queue, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_sts_and_iam(aws: Callable[[str], Any]) -> None:
    sts = aws("sts")
    assert sts.get_caller_identity()["Account"] == "123456789012"
    role = "arn:aws:iam::123456789012:role/role"
    assumed = sts.assume_role(RoleArn=role, RoleSessionName="session")
    assert assumed["AssumedRoleUser"]["Arn"].endswith("assumed-role/role/session")
    iam = aws("iam")
    iam.create_user(UserName="user")
    assert code_of(iam.create_user, UserName="user") == "EntityAlreadyExists"
    assert [user["UserName"] for user in iam.list_users()["Users"]] == ["user"]


def test_the_dashboard_shows_what_is_there(server: Running, s3: Any) -> None:
    assert "<html" in server.ask("/moto-api/").text
    buckets = server.ask("/moto-api/data.json").json()["s3"]["FakeBucket"]
    assert [bucket["name"] for bucket in buckets] == ["bucket"]

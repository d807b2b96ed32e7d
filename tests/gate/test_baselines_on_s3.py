"""A baseline in a bucket of S3, as moto's server imitates it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from pytest_throughput.gate.baseline_store import Store, StoreError, files_at
from pytest_throughput.gate.judged import JudgedRun
from pytest_throughput.gate.store_format import encode
from pytest_throughput.gate.store_place import place_of

pytest.importorskip("s3fs")
threaded = pytest.importorskip("moto.moto_server.threaded_moto_server")
pytestmark = pytest.mark.slow  # moto takes seconds to be imported and to answer for the first time.
MakeRun = Callable[..., JudgedRun]
HARDWARE = {"cpu": {"model": "Any", "cores": 2}}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = threaded.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket."""
    import boto3

    with monkeypatch.context() as patched:
        for name in ("HTTP_PROXY", "http_proxy", "AWS_PROFILE"):
            patched.delenv(name, raising=False)
        for name, value in {
            "ENDPOINT_URL": server,
            "ACCESS_KEY_ID": "a key",
            "SECRET_ACCESS_KEY": "a secret",
            "DEFAULT_REGION": "eu-central-1",
            "CONFIG_FILE": "/dev/null",
            "SHARED_CREDENTIALS_FILE": "/dev/null",
            "EC2_METADATA_DISABLED": "true",
        }.items():
            patched.setenv(f"AWS_{name}", value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="runs", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield "s3://runs"
        for one in client.list_objects_v2(Bucket="runs").get("Contents", []):
            client.delete_object(Bucket="runs", Key=one["Key"])
        client.delete_bucket(Bucket="runs")


def test_runs_are_accepted_pruned_and_read(bucket: str, make_run: MakeRun) -> None:
    store = Store(place_of(f"{bucket}/main/kept"))
    assert store.read(HARDWARE).runs == ()
    for seed in range(12):
        stored = store.accept(make_run(seed, cases=1))
    store.accept(replace(make_run(0), fingerprint={"cpu": "other"}))
    assert stored.location.startswith("s3://runs/main/kept/")
    baseline = Store(place_of(f"{bucket}/main/kept/")).read(HARDWARE)
    assert baseline.runs == tuple(make_run(seed, cases=1) for seed in range(12))
    assert (baseline.other_hardware, baseline.damaged) == (1, ())
    store.prune([stored], keep=3)
    assert store.read(HARDWARE).runs == baseline.runs[-3:]
    assert Store(place_of(bucket)).read(HARDWARE).runs == ()


def test_the_bucket_itself_may_be_the_baseline(bucket: str, make_run: MakeRun) -> None:
    store = Store(place_of(bucket))
    store.check_readable()
    assert store.read(HARDWARE).runs == ()
    store.accept(make_run(1))
    assert store.read(HARDWARE).runs == (make_run(1),)


def test_jobs_accept_at_once(bucket: str, make_run: MakeRun) -> None:
    start = threading.Barrier(3)

    def accept(first: int) -> None:
        store = Store(place_of(bucket))
        start.wait()
        for seed in range(first, 12, 3):
            store.accept(make_run(seed, cases=1))

    threads = [threading.Thread(target=accept, args=(first,)) for first in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Store(place_of(bucket)).read(HARDWARE).runs) == 12


def test_damaged_files_are_left_out_and_named(bucket: str, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    store, run, files = Store(place_of(bucket)), make_run(1), files_at(place_of(bucket))
    key = store.accept(run).hardware
    contents = [b"", encode(run)[:-10], encode(replace(run, fingerprint={"cpu": "other"}))]
    names = [f"2025010{number}T000000Z-{number:016x}.json" for number in range(len(contents))]
    for name, content in zip(names, contents, strict=True):
        files.write(key, name, content)
    baseline = store.read(HARDWARE)
    assert baseline.runs == (run,)
    assert [stored.name for stored, _ in baseline.damaged] == names
    monkeypatch.setattr("pytest_throughput.gate.remote_files.MOST_BYTES", 10)
    assert list(files.contents(key, [names[1]])) == [encode(run)[:11]]


def test_a_bucket_that_is_missing(bucket: str, make_run: MakeRun) -> None:
    store = Store(place_of("s3://none/kept"))
    for what in (store.check_readable, lambda: store.read(HARDWARE), lambda: store.accept(make_run(1))):
        with pytest.raises(StoreError, match=r"could not .* s3://none/kept.*: there is no such bucket"):
            what()


def test_credentials_that_are_missing(bucket: str, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(StoreError, match=r"could not read s3://runs: .*; credentials come from AWS_ACCESS_KEY_ID and"):
        Store(place_of(bucket)).check_readable()


def test_a_server_that_does_not_answer(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("pytest_throughput.gate.remote_files._SECONDS", 0.5)
    with pytest.raises(StoreError, match=r"could not read s3://runs: (no answer within 0\.5 s|.*onnect)"):
        Store(place_of(bucket)).check_readable()

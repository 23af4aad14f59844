"""A store on S3: moto as the server, a proxy before it, and the variables object_store reads."""

import http.client
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pandas as pd
import pytest
from deltalake import DeltaTable

from conftest import Result, Store, command, long_rows, ok, run
from faulty_proxy import FaultyProxy

HERE = Path(__file__).resolve().parent
BUCKET = "plume-test"
ALL_ROWS = "SELECT mn, factor, ts, value, flag FROM hourly ORDER BY mn, factor, ts"


class Moto:
    """The server process; it ends when its standard input is closed, so never outlives us."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, HERE / "s3_server.py"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        assert line.strip(), "moto's server didn't start: pip install -r tests/requirements.txt"
        self.port = int(line)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def environment(url, key="test", secret="test"):
    """What object_store reads; nothing of the machine's own AWS settings is left."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return clean | {"AWS_ENDPOINT": url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
                    "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}


class S3Store(Store):
    """A prefix of the bucket, driven through the command line."""

    def __init__(self, prefix, scratch):
        self.path = f"s3://{BUCKET}/{prefix}"
        self.scratch = Path(scratch)
        self.scratch.mkdir(parents=True, exist_ok=True)
        self._n = 0

    def vacuum(self):
        return ok(run("vacuum", "--store", self.path))

    @property
    def prefix(self):
        return self.path.split("/", 3)[3]

    def start(self, *args, url=None):
        """Runs beside us, on another endpoint where one is given."""
        return subprocess.Popen(command(*args), stdin=subprocess.DEVNULL,
                                env=environment(url) if url else None,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def start_ingest(self, table, *paths, url=None):
        return self.start("ingest", "--store", self.path, "--table", table, *paths, url=url)


def result_of(process, seconds=240):
    """Waits for a started process; what it said."""
    out, err = process.communicate(timeout=seconds)
    return Result(process.args[1:], process.returncode, out.decode(), err.decode())


@pytest.fixture(scope="session")
def moto():
    server = Moto()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def proxy(moto, monkeypatch):
    """Every request of plume passes here; without a rule it passes unharmed."""
    with FaultyProxy(moto.port) as proxy:
        wanted = environment(proxy.url)
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in wanted.items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        send(moto.port, "PUT", f"/{BUCKET}")
        yield proxy


@pytest.fixture
def s3(proxy, tmp_path):
    return S3Store(f"{next(NUMBERS)}", tmp_path / "scratch")


NUMBERS = itertools.count(1)


ANYBODY = ("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, "
           "SignedHeaders=host, Signature=0")


def send(port, method, path, body=None, headers=()):
    """One request under a signature that moto doesn't look at; the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body=body,
                           headers={"Authorization": ANYBODY} | dict(headers))
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


# ---------------------------------------------------------------- rows


def objects(moto, prefix=None):
    """A client past the proxy, and the keys below a prefix."""
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{moto.port}",
                          region_name="us-east-1", aws_access_key_id="test",
                          aws_secret_access_key="test")
    if prefix is None:
        return client, []
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return client, [item["Key"] for page in pages for item in page.get("Contents", [])]


def batch(name, hours=48, outlets=2, start="2026-01-31", factor="a21026"):
    """Rows of two months, so of two files; values are eighths, exact in text."""
    ts = pd.date_range(start, periods=hours, freq="h")
    return pd.concat([
        long_rows(f"{name}{i:03d}", factor, ts, [(17 * i + k % 97) / 8 + 1 for k in range(hours)])
        for i in range(outlets)], ignore_index=True)


def expected_rows(*frames):
    """What ALL_ROWS answers over the frames, each row once, by pandas alone."""
    whole = pd.concat(frames).drop_duplicates(["mn", "factor", "ts"])
    whole = whole.sort_values(["mn", "factor", "ts"], ignore_index=True)
    return whole[["mn", "factor", "ts", "value", "flag"]]


def rows_of(store, query=ALL_ROWS, as_of=None):
    got = store.sql(query, as_of)
    return got.assign(ts=pd.to_datetime(got["ts"], format="ISO8601").astype("datetime64[us]"),
                      value=got["value"].astype(float))


def assert_rows(store, *frames, as_of=None):
    """The store holds the rows of the frames, each once, and nothing else."""
    got, want = rows_of(store, as_of=as_of), expected_rows(*frames)
    want = want.assign(ts=want["ts"].astype("datetime64[us]"))
    pd.testing.assert_frame_equal(got, want, check_dtype=False, check_exact=True)


# ---------------------------------------------------------------- judging a store


def checked(store):
    """What `plume check` says; it must say that all is well."""
    return json.loads(store.check().out.strip().splitlines()[-1])


def stored(store, moto, table="hourly"):
    """The table as another reader has it, past the proxy: a row that is there twice shows here,
    where SQL would hide it."""
    address = f"{store.path}/tables/{table}"
    options = {name: value for name, value in environment(f"http://127.0.0.1:{moto.port}").items()
               if name.startswith("AWS_")}
    if not DeltaTable.is_deltatable(address, options):
        return pd.DataFrame(columns=["mn", "factor", "ts", "value"])
    return DeltaTable(address, storage_options=options).to_pandas()


def assert_once(store, moto, *frames):
    """The rows of the frames are there, each once, for SQL and for another reader; all is well."""
    want = expected_rows(*frames) if frames else []
    there = stored(store, moto)
    assert len(there) == len(want), f"{len(there)} rows in the files, {len(want)} landed"
    if not frames:
        return
    assert checked(store)["problems"] == []
    assert_rows(store, *frames)

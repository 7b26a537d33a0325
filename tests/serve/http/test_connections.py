"""Connections that end: real sockets, an application of three lines, patience of tenths."""

import asyncio
import contextlib
import functools
import time

import pytest
import uvicorn
from uvicorn.server import ServerState

from cyclegan_tf.serve.http.connections import Connection, Patience, Room

SHORT = Patience(head=0.3, idle=0.6, unread=0.3, answer=0.3)
GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{"


async def app(scope, receive, send):
    """Answers at once; /wait after half a second, /large with 32 MB."""
    if scope["path"] == "/wait":
        await asyncio.sleep(0.5)
    body = bytes(32 * 2**20) if scope["path"] == "/large" else b"ok"
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(client, limit=100, patience=SHORT):
    """Runs a coroutine function (connect) beside a server; `connect` gives reader and writer."""

    async def run():
        config = uvicorn.Config(app, log_config=None, lifespan="off", access_log=False)
        config.load()
        room = Room(limit, patience)
        made = functools.partial(
            Connection, room, config=config, server_state=ServerState(), app_state={}
        )
        loop = asyncio.get_running_loop()
        server = await loop.create_server(made, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        writers = []

        async def connect(data=b""):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(writer)
            writer.write(data)
            return reader, writer

        try:
            return await client(connect, room)
        finally:
            for writer in writers:
                writer.close()
            server.close()

    return asyncio.run(run())


async def ended(reader, seconds=5):
    """What came until the connection ended, and after how many seconds it did."""
    started, data = time.monotonic(), b""
    with contextlib.suppress(ConnectionError):
        while part := await asyncio.wait_for(reader.read(2**20), seconds):
            data += part
    return data, time.monotonic() - started


@pytest.mark.parametrize(
    ("data", "answers", "seconds"),
    [(b"", 0, 0.3), (b"GET / HT", 0, 0.3), (POST, 1, 0.3), (GET % b"", 1, 0.6),
     (GET % b"" + b"GET ", 1, 0.3), (GET % b"" + GET % b"", 2, 0.6)],
    ids=["silent", "half a head", "unread body", "idle", "second head", "pipelined"],
)  # fmt: skip
def test_a_connection_that_waits_is_closed(data, answers, seconds):
    async def client(connect, room):
        reader, _ = await connect(data)
        found = await ended(reader)
        await asyncio.sleep(0.05)
        return *found, len(room.open)

    received, took, still_open = serve(client)
    assert received.count(b"200 OK") == answers
    assert seconds * 0.8 < took < seconds + 1
    assert still_open == 0


def test_a_head_that_drips_has_no_more_time():
    async def client(connect, room):
        reader, writer = await connect(b"GET / HTTP/1.1\r\n")

        async def drip():
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(b"a: b\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.05)

        dripping = asyncio.ensure_future(drip())
        found = await ended(reader)
        dripping.cancel()
        return found

    data, took = serve(client)
    assert data == b""
    assert took < 1.3


def test_a_request_under_way_has_its_time():
    async def client(connect, room):
        reader, _ = await connect(GET % b"wait")
        return await ended(reader)

    data, took = serve(client)
    assert b"200 OK" in data
    assert took > 0.8


def test_an_answer_must_be_read():
    async def client(connect, room):
        await connect(GET % b"large")
        reader, _ = await connect(GET % b"large")
        slow = 0
        for _ in range(20):  # slower than the patience in all, and still reading
            slow += len(await reader.read(2**21))
            await asyncio.sleep(0.04)
        before = len(room.open)
        while slow < 32 * 2**20:
            slow += len(await reader.read(2**22))
        return before, slow

    still_open, received = serve(client)
    assert still_open == 1
    assert received >= 32 * 2**20


def test_the_one_that_has_waited_longest_makes_room(caplog):
    async def client(connect, room):
        readers = [(await connect())[0] for _ in range(3)]
        await asyncio.sleep(0.05)
        used, _ = await connect(GET % b"")
        assert b"200 OK" in await used.readuntil(b"ok")
        first = await ended(readers[0], 0.2)
        for _ in range(60):
            await connect()
        await asyncio.sleep(0.05)
        reader, _ = await connect(GET % b"")
        answer = await reader.readuntil(b"ok")
        return first, answer, len(room.open)

    first, answer, still_open = serve(client, limit=3, patience=Patience())
    assert first[0] == b""
    assert b"200 OK" in answer
    assert still_open <= 3
    assert len([m for m in caplog.messages if "3 connections are open" in m]) == 1


def test_where_all_are_busy_the_newcomer_is_turned_away():
    async def client(connect, room):
        busy = [(await connect(GET % b"wait"))[0] for _ in range(2)]
        await asyncio.sleep(0.1)
        reader, _ = await connect(GET % b"")
        refused = await ended(reader)
        return refused[0], [await reader.readuntil(b"ok") for reader in busy]

    refused, answers = serve(client, limit=2)
    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b'{"error":"all connections are in use"}' in refused
    assert all(b"200 OK" in answer for answer in answers)


@pytest.mark.parametrize("data", [bytes(range(256)), b"GET / HTTP/1.1\r\n\r\n", b"\r\n: \r\n\r\n"])
def test_what_is_no_http_is_refused_in_json(data, caplog):
    async def client(connect, room):
        reader, _ = await connect(data)
        return await ended(reader)

    received, _ = serve(client)
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b'{"error":"Malformed request: ' in received


@pytest.mark.parametrize(
    ("path", "status"), [(b"wait", b"400"), (b"", b"200")], ids=["before", "after"]
)
def test_a_body_that_is_no_http_gets_one_answer_at_most(path, status, caplog):
    head = b"POST /%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" % path

    async def client(connect, room):
        reader, writer = await connect(head + b"1\r\na\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"no chunk\r\n")
        return await ended(reader)

    received, _ = serve(client)
    assert received.startswith(b"HTTP/1.1 " + status)
    assert received.count(b"HTTP/1.1") == 1
    assert "call failed" not in caplog.text  # what asyncio says of a fault in the protocol

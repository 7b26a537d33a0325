"""Bodies arrive before a place is taken, and hold no more than so many bytes together."""

import asyncio
import gzip

import pytest
from starlette.requests import Request

from cyclegan_tf.serve.http.app import build_app
from cyclegan_tf.serve.http.bodies import Bodies
from cyclegan_tf.serve.models.limits import Limits, RequestError
from cyclegan_tf.serve.models.metrics import Metrics
from tests.helpers import tiny_serving
from tests.helpers.tiny_serving import ask_soon, body, image, png

LIMITS = Limits(max_body_bytes=100)
PREDICT = "/v1/models/tiny_xy:predict"


def request(*parts, ends=True, headers=()):
    """A request whose body comes in parts, and then ends or not."""
    left = list(parts)

    async def receive():
        if left:
            part = left.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(left) or not ends}
        return await asyncio.Event().wait()

    return Request({"type": "http", "method": "POST", "headers": list(headers)}, receive)


def test_parts_become_a_body():
    bodies = Bodies(LIMITS)
    assert asyncio.run(bodies.read(request(b"a", b"", b"b" * 99), 1)) == b"a" + b"b" * 99
    assert bodies.bytes == 0


@pytest.mark.parametrize(
    ("parts", "ends", "headers", "status"),
    [((b"a" * 101,), True, (), 413), ((b"a",), False, (), 408),
     ((b"a",), True, [(b"content-length", b"101")], 413),
     ((b"a",), True, [(b"content-encoding", b"br")], 415)],
)  # fmt: skip
def test_bodies_that_are_refused(parts, ends, headers, status):
    bodies = Bodies(LIMITS)
    with pytest.raises(RequestError) as caught:
        asyncio.run(bodies.read(request(*parts, ends=ends, headers=headers), 0.1))
    assert caught.value.status == status
    assert bodies.bytes == 0


def test_where_memory_ends_the_slowest_is_given_up():
    bodies = Bodies(LIMITS)

    async def many():
        slow = [
            asyncio.ensure_future(bodies.read(request(b"a" * 100, ends=False), 0.5))
            for _ in range(10)
        ]
        await asyncio.sleep(0.05)
        held = bodies.bytes
        good = await bodies.read(request(b"b" * 90), 0.5)
        return held, good, await asyncio.gather(*slow, return_exceptions=True)

    held, good, found = asyncio.run(many())
    assert held <= 800
    assert good == b"b" * 90
    assert [error.status for error in found] == [429] * 3 + [408] * 7
    assert found[0].retry_after == 1
    assert bodies.bytes == 0


def test_slow_bodies_take_no_place(tmp_path):
    """Before, 33 of them kept every good request out for a minute."""
    tiny_serving.save(tmp_path)
    engine = tiny_serving.loaded(tmp_path, Limits(max_queue=1, timeout_seconds=2))
    app = build_app(engine, Metrics())

    async def beside_slow_ones():
        gone = asyncio.Event()
        slow = [
            asyncio.ensure_future(ask_soon(app, "POST", PREDICT, chunks=[], disconnect=gone))
            for _ in range(40)
        ]
        await asyncio.sleep(0.05)
        waiting = engine.waiting
        good = [await ask_soon(app, "POST", PREDICT, body(png(image()))) for _ in range(5)]
        gone.set()
        await asyncio.gather(*slow)
        return waiting, [answer.status for answer in good]

    assert asyncio.run(beside_slow_ones()) == (0, [200] * 5)


def gzipped(data, *more):
    return [b"".join(map(gzip.compress, (data, *more)))], [(b"content-encoding", b"gzip")]


def test_gzip_is_inflated():
    bodies = Bodies(LIMITS)
    for parts in ([b"a" * 100], [b"a" * 50, b"b" * 50], [b""]):
        (data,), headers = gzipped(*parts)
        assert bodies.decode(request(headers=headers), data) == b"".join(parts)
    assert bodies.decode(request(), b"as it is") == b"as it is"


@pytest.mark.parametrize(
    ("data", "status"),
    [(gzip.compress(b"a" * 101), 413), (gzip.compress(bytes(10**8)), 413),
     (gzip.compress(b"a" * 90) + gzip.compress(b"a" * 90), 413), (b"{}", 400),
     (gzip.compress(b"a")[:-1], 400), (gzip.compress(b"a") + b"b", 400)],
    ids=["long", "bomb", "two", "none", "cut off", "more"],
)  # fmt: skip
def test_gzip_that_is_refused(data, status):
    with pytest.raises(RequestError) as caught:
        Bodies(LIMITS).decode(request(headers=[(b"content-encoding", b"gzip")]), data)
    assert caught.value.status == status

"""Requests are let in, wait, run, and are given up, without anything being lost count of."""

import asyncio
import contextlib
import io
import threading

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.serve.models.engine import infer
from cyclegan_tf.serve.models.limits import Limits, RequestError
from tests.helpers import tiny_serving


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    tiny_serving.save(folder)
    return folder


def engine_of(out, **limits):
    return tiny_serving.loaded(out, Limits(**limits))


async def one(engine, work, gone=None):
    with engine.admit() as ticket:
        return await engine.run(ticket, "tiny_xy", None, work, gone)


def test_work_gets_the_version_and_gives_its_answer(out):
    engine = engine_of(out)
    assert asyncio.run(one(engine, lambda version: version.number + 41)) == 42
    assert (engine.waiting, engine.running) == (0, 0)
    assert engine.store.get("tiny_xy").leases == 0


def test_a_fault_comes_out_and_is_tidied_up(out):
    engine = engine_of(out)
    for error in (RequestError(400, "no"), ZeroDivisionError("fault")):

        def fail(version, error=error):
            raise error

        with pytest.raises(type(error)):
            asyncio.run(one(engine, fail))
    with pytest.raises(RequestError, match="Servable not found"), engine.admit() as ticket:
        asyncio.run(engine.run(ticket, "none", None, lambda version: 1))
    assert (engine.waiting, engine.running) == (0, 0)
    assert engine.store.get("tiny_xy").leases == 0


def test_the_queue_is_bounded(out):
    engine = engine_of(out, max_queue=2)
    hold = threading.Event()

    async def fill():
        jobs = [asyncio.create_task(one(engine, lambda version: hold.wait(30))) for _ in range(3)]
        while engine.running < 1 or engine.waiting < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(RequestError, match="2 requests are waiting") as caught:
            await one(engine, lambda version: 1)
        assert (caught.value.status, caught.value.retry_after) == (429, 1)
        hold.set()
        assert await asyncio.gather(*jobs) == [True] * 3
        assert await one(engine, lambda version: 1) == 1

    asyncio.run(fill())
    assert (engine.waiting, engine.running) == (0, 0)


def test_no_queue_at_all(out):
    engine = engine_of(out, max_queue=0)
    with engine.admit(), pytest.raises(RequestError), engine.admit():
        pass
    assert asyncio.run(one(engine, lambda version: 1)) == 1


def test_a_request_that_takes_too_long_is_answered_and_its_worker_still_counts(out):
    engine = engine_of(out, timeout_seconds=0.2, max_queue=0)
    hold = threading.Event()
    with pytest.raises(RequestError, match=r"longer than 0\.2 s") as caught:
        asyncio.run(one(engine, lambda version: hold.wait(30)))
    assert caught.value.status == 504
    assert engine.running == 1
    assert engine.store.get("tiny_xy").leases == 1
    with pytest.raises(RequestError) as caught:
        asyncio.run(one(engine, lambda version: 1))
    assert caught.value.status == 429
    hold.set()
    tiny_serving.wait_until(lambda: engine.store.get("tiny_xy").leases == 0)
    tiny_serving.wait_until(lambda: engine.running == 0)
    assert engine.waiting == 0


def test_what_waits_too_long_never_runs(out):
    engine = engine_of(out, timeout_seconds=0.2)
    hold, ran = threading.Event(), []

    async def two():
        results = await asyncio.gather(
            one(engine, lambda version: hold.wait(30)),
            one(engine, ran.append),
            return_exceptions=True,
        )
        hold.set()
        return [result.status for result in results]

    assert asyncio.run(two()) == [504, 504]
    tiny_serving.wait_until(lambda: engine.running == 0)
    assert asyncio.run(one(engine, lambda version: 1)) == 1
    assert ran == []
    assert engine.store.get("tiny_xy").leases == 0


def test_a_client_that_goes_away_frees_its_place(out):
    engine = engine_of(out)
    hold, ran = threading.Event(), []

    async def two():
        busy = asyncio.create_task(one(engine, lambda version: hold.wait(30)))
        while engine.running < 1:
            await asyncio.sleep(0.01)
        with pytest.raises(RequestError) as caught:
            await one(engine, ran.append, asyncio.sleep(0.05))
        hold.set()
        await busy
        return caught.value.status

    assert asyncio.run(two()) == 499
    assert ran == []
    assert engine.waiting == 0


def test_after_the_end_nothing_is_taken(out):
    engine = engine_of(out)
    engine.stop()
    with pytest.raises(RequestError, match="stopping") as caught:
        asyncio.run(one(engine, lambda version: 1))
    assert caught.value.status == 503
    assert engine.waiting == 0
    assert engine.store.get("tiny_xy").leases == 0


def test_a_cancelled_request_counts_as_cut_off(out):
    engine = engine_of(out)
    hold = threading.Event()

    async def cancelled():
        job = asyncio.create_task(one(engine, lambda version: hold.wait(30)))
        while engine.running < 1:
            await asyncio.sleep(0.01)
        job.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await job
        hold.set()

    asyncio.run(cancelled())
    assert engine.cut_off == 1


def test_a_noisy_jpeg_is_answered_and_leaves_the_log_alone(out, capfd):
    version = engine_of(out).store.get("tiny_xy")
    stream = io.BytesIO()
    Image.fromarray(tiny_serving.image()).save(stream, "JPEG")
    whole = stream.getvalue()
    found = [
        infer(
            version,
            "image_bytes",
            lambda _, data=data: {"image_bytes": np.array([data], object)},
            Limits(),
        )[0]["translated_bytes"][0]
        for data in (whole, whole[:-2] + bytes(7) + whole[-2:])
    ]
    assert found[0] == found[1]
    assert "JPEG" not in capfd.readouterr().err


def test_signatures_are_called_with_checked_inputs(out):
    version = engine_of(out).store.get("tiny_xy")
    images = np.zeros((2, 4, 3, 3), np.float32)
    outputs, count = infer(
        version, "serving_default", lambda signature: {"images": images}, Limits()
    )
    assert (outputs["translated"].shape, count) == ((2, 4, 3, 3), 2)
    with pytest.raises(RequestError, match="limit is 1"):
        infer(version, "serving_default", lambda signature: {"images": images}, Limits(max_batch=1))
    data = tiny_serving.png(tiny_serving.image())
    broken = (
        data[:50] + bytes([data[50] ^ 255]) + data[51:]
    )  # the header is right, the pixels are not
    with pytest.raises(RequestError) as caught:
        infer(
            version,
            "image_bytes",
            lambda signature: {"image_bytes": np.array([broken], object)},
            Limits(),
        )
    assert caught.value.status == 400
    assert caught.value.message.startswith("the model refused: Invalid PNG data")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (tf.errors.InvalidArgumentError, 400),
        (tf.errors.ResourceExhaustedError, 429),
        (tf.errors.InternalError, 500),
    ],
)
def test_tensorflow_errors_have_their_status(error, status):
    class Broken:
        def __call__(self, arrays):
            raise error(None, None, "{{function_node f}} too bad [[{{node g}}]]")

        inputs = ()
        decodes_images = True

    class OfBroken:
        def signature(self, name):
            return Broken()

        def limits(self, limits, name):
            return limits

    with pytest.raises(RequestError, match=r"^the model refused: too bad$") as caught:
        infer(OfBroken(), "a", lambda signature: {}, Limits())
    assert caught.value.status == status

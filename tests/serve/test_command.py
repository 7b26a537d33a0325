"""The server as it is run: real processes, sockets and signals, and clients that keep asking."""

import concurrent.futures
import contextlib
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from benchmarks.deploy import serve_load
from benchmarks.deploy import server as server_module
from cyclegan_tf import cli
from cyclegan_tf.errors import UserError
from cyclegan_tf.serve import command as serve
from cyclegan_tf.serve import process
from cyclegan_tf.serve.models.limits import Limits
from tests.helpers import preloaded, tiny_serving
from tests.helpers.tiny_serving import Server, body, image, pixels_of, png, wait_until

KIT = Path(__file__).parents[2] / "export" / "serving"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    tiny_serving.save(folder)
    return folder


@pytest.fixture(scope="module")
def slow_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slow")
    tiny_serving.save(folder, slow=True)
    return folder


def slow_body(seconds):
    """An image that the slow model takes so long for."""
    return body(png(image(red=round(seconds / tiny_serving.SECONDS_PER_LEVEL))))


@pytest.mark.parametrize(
    ("words", "field", "message"),
    [
        (["none"], "none", "no such folder"),
        ([".", "--port=70000"], "--port", "--port must be"),
        ([".", "--prt=1"], None, "mean --port"),
        ([".", "--max_queue=-1"], "--max_queue", "--max_queue must be 0"),
        ([".", "--poll_seconds=0"], "--poll_seconds", "--poll_seconds must be"),
        ([".", "--grace_seconds=-1"], "--grace_seconds", "--grace_seconds must be"),
        ([".", "--versions=2"], None, "invalid choice"),
        ([".", "--max_pixels=many"], None, "a whole number"),
    ],
)
def test_mistakes_are_reported_in_a_sentence(words, field, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        serve.main(words)
    if field:
        assert caught.value.field == field
        assert caught.value.code == ("missing" if field == "none" else "invalid")


def test_a_missing_package_is_reported_with_what_installs_it(monkeypatch, tmp_path):
    model = tmp_path / "m" / "1" / "saved_model.pb"
    model.parent.mkdir(parents=True)
    model.touch()
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(UserError, match=r'pip install "\.\[serve\]"') as caught:
        serve.main([str(tmp_path)])
    assert (caught.value.code, caught.value.field) == ("dependency", "fastapi")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(UserError, match=r"tensorflow_serving is not installed: pip install \."):
        serve.main([str(tmp_path), "--grpc_port=8500"])


@pytest.mark.slow
def test_a_day_in_its_life(slow_out, tmp_path, monkeypatch, capfd):
    port = free_port()
    options = ["--verbose", f"--grpc_port={port}", "--max_body_bytes=100000", "--timeout_seconds=4"]
    with Server(slow_out, *options) as server, concurrent.futures.ThreadPoolExecutor() as pool:
        assert_answers(server)
        assert_refuses_long_bodies(server)
        assert_survives_clients_that_go_away(server)
        clients = example_clients(server, port)
        assert_clients_translate(clients, tmp_path, monkeypatch)
        assert_clients_report_what_is_wrong(clients, tmp_path, monkeypatch, capfd)
        assert_health_and_metrics_answer_while_a_request_runs(server, pool)
        shown = server.show()
    assert "tiny_xy version 1: ready" in shown
    assert "POST '/v1/models/tiny_xy:predict' 200" in shown
    assert "POST '/v1/models/tiny_xy:predict' 400" in shown
    assert shown.rstrip().endswith("stopped")
    assert "Traceback" not in shown


@pytest.mark.skipif(shutil.which("sh") is None, reason="a script for sh")
@pytest.mark.parametrize("name", ["none.png", ""])
def test_curl_is_not_asked_to_send_what_is_no_file(name, tmp_path):
    curl = tmp_path / "curl"
    curl.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\n")
    curl.chmod(0o755)
    given, out = f"{tmp_path}/{name}", tmp_path / "out.png"
    ended = subprocess.run(
        ["sh", KIT / "client_curl.sh", given, out, "tiny_xy", "127.0.0.1:1"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True, timeout=9,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr == f"error: {given} is no file that can be read; give a JPEG or PNG.\n"
    assert not (tmp_path / "asked").exists()
    assert not out.exists()


def assert_answers(server):
    assert server.get("/health").json()["models"] == {"tiny_xy": 1}
    pixels = image(40, 30, red=0)
    answer = server.predict(body(png(pixels)))
    np.testing.assert_array_equal(pixels_of(answer.json()["predictions"][0]), 255 - pixels)
    assert server.predict(body(b"<svg/>")).status == 400
    assert server.get("/metrics").headers["content-type"].startswith("text/plain")
    assert server.get("/v1/models/tiny_xy/metadata").status == 200
    assert server.get("/models.json").json()["engine"] == "server"
    for path in ("/../pyproject.toml", "/..%2fpyproject.toml", "/%2e%2e/serve.py", "/serve.py"):
        assert server.get(path).status == 404


def assert_refuses_long_bodies(server):
    assert server.predict(b" " * 100_001).status == 413
    assert server.predict(b" " * 5_000_000).status == 413
    with contextlib.closing(server.connect()) as connection:
        chunks = (b" " * 50_000 for _ in range(100))
        connection.request("POST", "/v1/models/tiny_xy:predict", chunks, encode_chunked=True)
        assert connection.getresponse().status == 413


def assert_survives_clients_that_go_away(server):
    head = (
        b"POST /v1/models/tiny_xy:predict HTTP/1.1\r\nHost: [::1]\r\nContent-Length: 1000\r\n\r\n{"
    )
    for _ in range(3):
        for _ in range(15):  # clients that go away in the middle
            with socket.create_connection(("127.0.0.1", server.port)) as gone:
                gone.sendall(head)
        wait_until(lambda: queue_length(server, 0), 3.5)
    with socket.create_connection(("127.0.0.1", server.port), 20) as slow:
        slow.sendall(head)
        assert b"408" in slow.recv(100)
    with socket.create_connection(("127.0.0.1", server.port), 20) as noise:
        noise.sendall(bytes(range(256)) * 4)
        assert b"400" in noise.recv(100)
    assert server.predict(slow_body(0)).status == 200
    wait_until(lambda: queue_length(server, 0))


def example_clients(server, grpc_port):
    """Functions (monkeypatch, input, output, *options) -> exit status, by name.

    The gRPC client runs in this process, which has imported TensorFlow already; the REST client
    has no other package in its way.
    """

    def process_of(*words):
        return subprocess.run(list(map(str, words)), timeout=100).returncode

    def rest(monkeypatch, given, out, *options):
        words = [given, out, "--url", f"http://127.0.0.1:{server.port}", "--model", "tiny_xy"]
        return process_of(sys.executable, "-IS", KIT / "client_rest.py", *words, *options)

    def over_grpc(monkeypatch, given, out, *options):
        words = [given, out, "--address", f"127.0.0.1:{grpc_port}", "--model", "tiny_xy", *options]
        monkeypatch.setattr(sys, "argv", ["client_grpc.py", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(KIT / "client_grpc.py"), run_name="__main__")
        return end.value.code

    def curl(monkeypatch, given, out, *options):
        address = f"127.0.0.1:{server.port}"
        return process_of("sh", KIT / "client_curl.sh", given, out, "tiny_xy", address)

    return {"rest": rest, "grpc": over_grpc, **({"curl": curl} if shutil.which("curl") else {})}


def assert_clients_translate(clients, folder, monkeypatch):
    pixels = image(20, 30, red=0)
    Image.fromarray(pixels).save(folder / "in.png")
    for name, client in clients.items():
        out = folder / f"{name}.png"
        assert client(monkeypatch, folder / "in.png", out, "--version", "1") == 0
        np.testing.assert_array_equal(np.asarray(Image.open(out)), 255 - pixels)


def assert_clients_report_what_is_wrong(clients, folder, monkeypatch, capfd):
    (folder / "in.svg").write_text("<svg/>")
    capfd.readouterr()
    for client in clients.values():
        assert client(monkeypatch, folder / "in.svg", folder / "out.png") == 1
        printed = capfd.readouterr().err
        assert "neither a JPEG nor a PNG" in printed
        assert "Traceback" not in printed
        assert not (folder / "out.png").exists()


def assert_health_and_metrics_answer_while_a_request_runs(server, pool):
    """Ends the server by SIGTERM, which finishes what runs and what waits."""
    running = pool.submit(server.predict, slow_body(2.5))
    wait_until(lambda: in_flight(server, 1))
    answers = [running, *(pool.submit(server.predict, slow_body(0.2)) for _ in range(2))]
    wait_until(lambda: queue_length(server, 2))
    started = time.monotonic()
    for _ in range(5):
        assert server.get("/health").status == 200
        assert server.get("/metrics").status == 200
    assert time.monotonic() - started < 1.5
    assert not running.done()
    assert_finishes(server, signal.SIGTERM, 3, answers)


def takes_connections(server):
    try:
        with contextlib.closing(server.connect()) as connection:
            connection.connect()
    except OSError:
        return False
    return True


def assert_finishes(server, sign, count, answers):
    """Stops a server by a signal; what is in flight is answered, and nothing new is taken."""
    os.kill(server.process.pid, sign)
    server.wait_for_line(f"stopping: finishing {count} requests")
    wait_until(lambda: not takes_connections(server), 2)
    assert [answer.result().status for answer in answers] == [200] * len(answers)
    assert server.process.wait(20) == 0


def in_flight(server, count):
    return f"cyclegan_tf_in_flight {count}.0".encode() in server.get("/metrics").body


def queue_length(server, count):
    return f"cyclegan_tf_queue_length {count}.0".encode() in server.get("/metrics").body


@pytest.mark.slow
def test_a_full_queue_timeouts_and_sigint_over_rest_and_grpc(slow_out):
    port = free_port()
    options = ["--max_queue=1", "--timeout_seconds=2", f"--grpc_port={port}"]
    with (
        Server(slow_out, *options) as server,
        concurrent.futures.ThreadPoolExecutor() as pool,
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        started = time.monotonic()
        long = pool.submit(server.predict, slow_body(5))
        wait_until(lambda: in_flight(server, 1))
        waiting = pool.submit(server.predict, slow_body(0))
        wait_until(lambda: queue_length(server, 1))
        third = server.predict(slow_body(0))
        assert (third.status, third.headers["retry-after"]) == (429, "1")
        for late in (long, waiting):
            assert late.result().status == 504
            assert "longer than 2 s" in late.result().json()["error"]
        assert time.monotonic() - started < 4.8
        wait_until(lambda: server.predict(slow_body(0)).status == 200)
        late = grpc_predict(channel, 3)
        assert late.exception().code() == grpc.StatusCode.DEADLINE_EXCEEDED
        wait_until(lambda: in_flight(server, 0))
        last = grpc_predict(channel, 1)
        wait_until(lambda: in_flight(server, 1))
        behind_it = pool.submit(server.predict, slow_body(0))
        wait_until(lambda: queue_length(server, 1))
        assert_finishes(server, signal.SIGINT, 2, [behind_it])
        assert len(last.result().outputs["translated_bytes"].string_val) == 1


def grpc_predict(channel, seconds):
    """A call that the slow model takes so long for."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "tiny_xy", "image_bytes"
    data = png(image(red=round(seconds / tiny_serving.SECONDS_PER_LEVEL)))
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([data]))
    return prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict.future(
        request, timeout=30
    )


@pytest.mark.slow
def test_the_grace_ends(slow_out):
    with (
        Server(slow_out, "--grace_seconds=0.5") as server,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        answer = pool.submit(server.predict, slow_body(5))
        wait_until(lambda: in_flight(server, 1))
        started = time.monotonic()
        assert server.stop() == 1
        assert time.monotonic() - started < 4
        assert "1 requests were cut off" in server.show()
        assert (answer.result().status, list(answer.result().json())) == (503, ["error"])
        assert "Traceback" not in server.show()


def save_broken(out, version):
    folder = out / "saved_model" / "tiny_xy" / str(version)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"broken")
    return folder


def assert_not_ready(server):
    server.wait_for_line("version 1 cannot be served")
    assert server.get("/health").status == 503
    assert server.predict(body(png(image()))).status == 404
    status = server.get("/v1/models/tiny_xy").json()["model_version_status"][0]
    assert (status["state"], status["status"]["error_code"]) == ("END", "UNKNOWN")


@pytest.mark.slow
def test_versions_change_under_load_and_no_request_fails(tmp_path):
    first = save_broken(tmp_path, 1)
    levels, failures, stop = [], [], threading.Event()

    def ask_on(server):
        connection = server.connect()
        while not stop.is_set():
            answer = server.predict(body(png(image())), connection=connection)
            if answer.status != 200:
                failures.append((answer.status, answer.body))
                return
            levels.append(int(pixels_of(answer.json()["predictions"][0]).max()))
        connection.close()

    def last(count=30):
        return set(levels[-count:])

    with (
        Server(tmp_path, "--poll_seconds=0.2", wait=False) as server,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        assert_not_ready(server)
        shutil.rmtree(first)
        tiny_serving.save(tmp_path, version=2, level=2)
        wait_until(lambda: server.get("/health").status == 200)
        askers = [pool.submit(ask_on, server) for _ in range(8)]
        try:
            wait_until(lambda: len(levels) > 50)
            for version in (3, 4):
                tiny_serving.save(tmp_path, version=version, level=version)
                wait_until(lambda version=version: last() == {version})
                server.wait_for_line(f"tiny_xy version {version - 1}: unloaded")
            broken = save_broken(tmp_path, 5)
            server.wait_for_line("tiny_xy version 5 cannot be served")
            shutil.rmtree(broken)
            count = len(levels)
            wait_until(lambda: len(levels) > count + 50)
        finally:
            stop.set()
        concurrent.futures.wait(askers)
        assert failures == []
        assert [asker.exception() for asker in askers] == [None] * 8
        assert last() == {4}
        assert set(levels) == {2, 3, 4}
        assert (
            server.predict(body(png(image())), "/v1/models/tiny_xy/versions/2:predict").status
            == 404
        )
        assert server.stop() == 0


def test_a_port_that_is_taken_ends_with_status_2(out, monkeypatch, capsys):
    monkeypatch.setattr(process, "log_to_stdout", lambda verbose: None)
    with process.listen("127.0.0.1", 0) as taken, pytest.raises(SystemExit) as caught:
        cli.run(serve.main, [str(out), f"--port={taken.getsockname()[1]}"])
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: cannot listen on port")
    assert printed.count("\n") == 1


def test_a_stop_while_models_are_loaded(out, monkeypatch):
    """In this process: the signal comes from the thread that loads."""
    load, loading = tf.saved_model.load, threading.Event()

    def load_and_stop(*words, **options):
        loading.set()
        os.kill(os.getpid(), signal.SIGTERM)
        return load(*words, **options)

    monkeypatch.setattr(tf.saved_model, "load", load_and_stop)
    monkeypatch.setattr(process, "log_to_stdout", lambda verbose: None)
    started = time.monotonic()
    monkeypatch.setattr(os, "_exit", sys.exit)  # is called if loading goes on for long
    with pytest.raises(SystemExit) as end:
        sys.exit(serve.main([str(out), "--port=0"]))
    assert end.value.code == 0
    assert loading.is_set()
    assert time.monotonic() - started < 20


def free_port():
    with process.listen("127.0.0.1", 0) as free:
        return free.getsockname()[1]


def test_the_kits_files_are_what_tf_serving_reads(out, tmp_path):
    from tensorflow_serving.config import model_server_config_pb2

    def models(text):
        config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
        return {
            model.name: (model.base_path, model.model_platform)
            for model in config.model_config_list.config
        }

    shipped = models((KIT / "models.config").read_text())
    assert shipped
    assert all(path == f"/models/{name}" for name, (path, _) in shipped.items())
    (out / "saved_model" / ".partial-1").mkdir(exist_ok=True)
    done = subprocess.run(
        ["sh", str(KIT / "models_config.sh"), str(out)], capture_output=True, text=True, check=True
    )
    assert models(done.stdout) == {"tiny_xy": ("/models/tiny_xy", "tensorflow")}
    done = subprocess.run(
        ["sh", str(KIT / "models_config.sh"), str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 1


def test_the_compose_files_mount_what_they_name():
    import yaml

    for name in ("compose.yaml", "compose.batching.yaml"):
        service = yaml.safe_load((KIT / name).read_text())["services"]["serving"]
        mounted = {
            volume.split(":")[-2]: volume.split(":")[0]
            for volume in service["volumes"]
            if "./" in volume
        }
        for option in service["command"]:
            _, value = option.lstrip("-").split("=")
            if value.startswith("/config/"):
                assert (KIT / mounted[value]).is_file(), option


@pytest.mark.slow
def test_the_load_benchmark_runs(out, tmp_path, monkeypatch, capsys):
    result = tmp_path / "load.json"
    monkeypatch.setattr(server_module, "start", preloaded.popen)
    monkeypatch.setattr(serve_load, "output_of", lambda code: preloaded.run_code(code, tmp_path)[1])
    monkeypatch.setattr(serve_load, "BARE_SECONDS", 0.2)
    monkeypatch.setattr(serve_load, "SAMPLE_SECONDS", 0.1)
    words = ["--seconds=1", "--connections=4", "--size_px=16", f"--out={result}"]
    assert serve_load.main([str(out), *words]) == 0
    found = json.loads(result.read_text())
    assert [phase["good_failed"] for phase in found["phases"]] == [0, 0]
    assert found["phases"][0]["bad_sent"] == 0
    assert found["phases"][1]["bad_sent"] > 0
    assert found["phases"][1]["bad_wrong"] == 0
    assert found["bare_forward_ms"] > 0
    assert "p99" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("free_bytes", "workers", "pixels"),
    [(2**40, 1, 48 * 2**20), (2 * 2**30, 1, 23_488_102), (2 * 2**30, 4, 5_872_025), (0, 1, 2**21)],
)
def test_images_are_no_larger_than_the_memory_holds(free_bytes, workers, pixels):
    limits = serve.fitting_memory(Limits(workers=workers), free_bytes)
    assert limits.max_image_pixels == pixels

"""Hostile requests, kind by kind, each with the answers that are right.

Most are wrong in a known way and must be refused. Others are odd but legal, or were changed at
random: where such a one is answered with 200, the answer must be the model's own.
"""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator

from benchmarks.deploy.attack import (
    ANY,
    NONE,
    REFUSED,
    REFUSED_BY_GRPC,
    REFUSED_OR_CLOSED,
    Attack,
    Want,
)
from benchmarks.deploy.request_bodies import (
    body_of,
    chunk,
    compressed_zeros,
    encoded,
    jpeg_of,
    png_of,
)
from benchmarks.deploy.translate_attacks import translate_attack


class Attacks:
    """Endless attacks, by turns of all kinds, in an order that depends on the seed alone.

    Example:
      >>> attacks = Attacks("horse2zebra_xy", seed=0)
      >>> next(iter(attacks)).kind
    """

    def __init__(self, model: str, seed: int = 0) -> None:
        self._model, self._path = model, f"/v1/models/{model}:predict"
        self._rng = random.Random(seed)
        self._png, self._jpeg = encoded("PNG"), encoded("JPEG", quality=90)
        self._good = body_of(self._png)
        self.kinds: dict[str, Callable[[], Attack]] = {
            "request line": self._request_line,
            "head": self._head,
            "JSON": self._json,
            "numbers": self._numbers,
            "base64": self._base64,
            "image": self._image,
            "gzip": self._gzip,
            "chunks": self._chunks,
            "pipelined": self._pipelined,
            "slow": self._slow,
            "translate": self._translate,
            "gRPC call": self._grpc_call,
            "gRPC bytes": self._grpc_bytes,
        }

    def __iter__(self) -> Iterator[Attack]:
        while True:
            for make in self.kinds.values():
                yield make()

    # ---- HTTP ----

    def _post(self, body: bytes, *lines: str, close: bool = True, length: bool = True) -> bytes:
        head = [f"POST {self._path} HTTP/1.1", "Host: 127.0.0.1", *lines]
        head += ["Connection: close"] if close else []
        head += [f"Content-Length: {len(body)}"] if length else []
        return "\r\n".join([*head, "", ""]).encode("latin-1") + body

    def _posted(self, kind: str, body: bytes, statuses: frozenset, *lines: str) -> Attack:
        return Attack(kind, (self._post(body, *lines),), (Want(statuses, body),))

    def _request_line(self) -> Attack:
        model = self._model
        line = self._rng.choice([
            "BREW / HTTP/1.1", "GET / HTTP/9", "GET", "", "\x00\x01\x02", "GET  / HTTP/1.1",
            "GET /../../etc/passwd HTTP/1.1", "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1",
            "GET /%00 HTTP/1.1", "GET /%ff%fe HTTP/1.1", "GET \\..\\x HTTP/1.1", "GET //x HTTP/1.1",
            f"GET /{'a' * self._rng.choice([100, 20_000, 90_000])} HTTP/1.1",
            f"HEAD /v1/models/{model} HTTP/1.1", "POST / HTTP/1.1", "DELETE /v1/models HTTP/1.1",
            f"POST /v1/models/{model}:regress HTTP/1.1", "PUT /health HTTP/1.1",
            f"POST /v1/models/{model}/versions/{'9' * 30}:predict HTTP/1.1",
            f"POST /v1/models/{model}/versions/-1:predict HTTP/1.1",
            "POST /v1/models/none:predict HTTP/1.1", "POST /v1/models/:predict HTTP/1.1",
            "POST /v1/models/%2e%2e:predict HTTP/1.1", "CONNECT a:1 HTTP/1.1", "TRACE / HTTP/1.1",
            "OPTIONS * HTTP/1.1", "PRI * HTTP/2.0", "GET http://evil.example/x HTTP/1.1",
        ])  # fmt: skip
        head = f"{line}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode("latin-1")
        return Attack("request line", (head,), (Want(REFUSED_OR_CLOSED),))

    def _head(self) -> Attack:
        if self._rng.random() < 0.5:
            head, _, body = self._post(self._good).partition(b"\r\n\r\n")
            data = self._changed(head) + b"\r\n\r\n" + body
            return Attack("head", (data,), (Want(ANY, self._good), Want(ANY), Want(ANY)))
        line, statuses = self._rng.choice([
            ("Host: evil.example", {400, 403}), ("Content-Length: -1", {400}), (": x", {400}),
            (f"Content-Length: {len(self._good) + 1}", {400}), ("Content-Length: 99a", {400}),
            ("Origin: http://evil.example", {403}), ("Origin: null", {403}), ("A b: c", {400}),
            (f"X: {'y' * 90_000}", {200, 400}), ("Content-Encoding: br", {415}), ("X: \x00", {400}),
            ("Content-Encoding: gzip, gzip", {415}), ("Host: 127.0.0.1", {400}), ("X : y", {400}),
            ("Upgrade: websocket\r\nConnection: upgrade", {200}), ("Content-Type: text/html",
            {200}),
            ("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk", {200}), ("Expect: 100-continue", {200}),
            ("\r\n".join(f"X-{i}: y" for i in range(500)), {200, 400}), ("X: \xff", {200}),
            ("Transfer-Encoding: chunked", {400}), ("Content-Encoding: GZIP", {400}),
            ("Range: bytes=0-1", {200}), ("X-HTTP-Method-Override: DELETE", {200}),
        ])  # fmt: skip
        return self._posted("head", self._good, frozenset(statuses), line)

    def _changed(self, data: bytes) -> bytes:
        """Some bytes replaced, cut out, doubled or put in."""
        rng, changed = self._rng, bytearray(data)
        for _ in range(rng.randint(1, 4)):
            at, length = rng.randrange(len(changed) + 1), rng.randint(0, 9)
            put_in = (
                b"",
                rng.randbytes(length),
                bytes(changed[at : at + length]) * 2,
                rng.choice([b"[", b"]", b"{", b'"', b",", b"\\", b"\r\n", b"\x00", b":"]),
            )
            changed[at : at + rng.choice([0, length])] = rng.choice(put_in)
        return bytes(changed)

    def _json(self) -> Attack:
        if self._rng.random() < 0.5:
            return self._posted("JSON", self._changed(self._good), ANY)
        good = self._good.decode()
        body = self._rng.choice([
            b"", b"{", b"null", b"[]", b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000,
            b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b'{"instances": [' + b"1" * 5000 + b"]}",
            b'{"instances": [NaN]}', b'{"instances": [1e999999999]}', b'{"instances": "\\ud800"}',
            b"\xef\xbb\xbf" + self._good, good.encode("utf-16"), self._good + b"}",
            self._good + b"\x00", good.replace("instances", "\\u0000").encode(),
            b'{"instances": [1], "inputs": [1]}', b'{"instances": {"b64": ""}}',
            good.replace('"image_bytes"', "7").encode(),
            b'{"signature_name": "none", "instances": [1]}',
            b'{"x": "' + b"y" * 2_000_000 + b'"}', b'{"instances": [' + b"{}," * 400_000 + b"{}]}",
            json.dumps({"signature_name": "image_bytes", "instances": [{"b64": None}]}).encode(),
            json.dumps({"signature_name": "image_bytes", "instances": [[{"b64": ""}]]}).encode(),
            json.dumps({"signature_name": "image_bytes", "inputs": {"none": [1]}}).encode(),
        ])  # fmt: skip
        return self._posted("JSON", body, REFUSED)

    def _numbers(self) -> Attack:
        rng = self._rng
        image = [[[rng.uniform(-1, 1) for _ in range(3)] for _ in range(5)] for _ in range(4)]
        if rng.random() < 0.3:
            return self._posted(
                "numbers", json.dumps({"instances": [image]}).encode(), frozenset({200})
            )
        if rng.random() < 0.3:
            body = self._changed(json.dumps({"instances": [image]}).encode())
            return self._posted("numbers", body, ANY)
        value: object = rng.choice([
            [image[0]], [image] * 1000, [[[[0, 0, 0]] * 5, [[0, 0, 0]] * 4]], [[[[0, 0]]]],
            [[[[]]]],
            [[[["0", "0", "0"]] * 2]], [[[[None, 0, 0]] * 2]], [[[[True, 0, 0]] * 2]],
            [[[[10**400, 0, 0]] * 2]], [[[[1e300, 0, 0]] * 2]], [[[{"a": 1}] * 2]],
            [[[[[0] * 3]]] * 2],
            [[[[0, 0, 0]] * 20_000]], [[[[0.5] * 3] * 1500] * 1500], 1, "1", [], {},
            [image, [image]], [[[[0, 0, 0]]]],
        ])  # fmt: skip
        return self._posted("numbers", json.dumps({"instances": value}).encode(), REFUSED)

    def _base64(self) -> Attack:
        good = json.loads(self._good)["instances"][0]["b64"]
        text = self._rng.choice([
            good[:-1], good[:-3], good + "=", good + "A", "%%%", good.replace("A", " "),
            "\n" + good,
            good[:50] + "\r\n" + good[50:], good[:50] + "=" + good[50:], good.replace("/",
            "_") + "_",
            "data:image/png;base64," + good, good[:50] + "\u0000" + good[50:], "é" + good, "=" * 8,
            good[:20] + "-" + good[20:], "",
        ])  # fmt: skip
        document = {"signature_name": "image_bytes", "instances": [{"b64": text}]}
        return self._posted("base64", json.dumps(document).encode(), REFUSED)

    def _image(self) -> Attack:
        rng, png, jpeg = self._rng, self._png, self._jpeg
        if rng.random() < 0.4:
            data = self._changed(rng.choice([png, jpeg]))
            return self._posted("image", body_of(data), ANY)
        cut = len(jpeg) // 2
        data = rng.choice([
            b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"\x00" * 100, png[:-1],
            png[: len(png) // 2], png[:40], jpeg[:cut], jpeg[:cut] + b"\xff\xd9", jpeg[:2],
             encoded("GIF"), encoded("BMP"),
            encoded("TIFF"), encoded("WEBP"), png_of(20_000, 20_000),
            png_of(60_000, 60_000),
            png_of(2**31 - 1, 1), png_of(0, 5), png_of(1, 1),
            jpeg_of(jpeg, 65_000, 65_000),
            jpeg_of(jpeg, 0, 0), jpeg_of(jpeg, 240, 240), jpeg + b"\xff\xda" * 200,
            png[:33] + chunk(b"zTXt",
            b"a\x00\x00" + compressed_zeros("zlib")) * 2 + png[33:60],
            png[:33] + chunk(b"tEXt", b"a\x00b") * 70_000 + png[33:],
        ])  # fmt: skip
        return self._posted("image", body_of(data), REFUSED)

    def _gzip(self) -> Attack:
        good = gzip.compress(self._good, mtime=0)
        line = "Content-Encoding: gzip"
        if self._rng.random() < 0.2:
            half = len(self._good) // 2
            whole = self._rng.choice(
                [
                    good,
                    gzip.compress(self._good[:half], mtime=0)
                    + gzip.compress(self._good[half:], mtime=0),
                ]
            )
            return Attack("gzip", (self._post(whole, line),), (Want(frozenset({200}), self._good),))
        if self._rng.random() < 0.3:
            data = self._post(self._changed(good), line)
            return Attack("gzip", (data,), (Want(ANY, self._good),))
        bomb = compressed_zeros("gzip")
        body = self._rng.choice([
            good[:-1], good[:-8], good[:20], good + b"x", self._good, b"", bomb, good + bomb,
            gzip.compress(bomb, mtime=0), gzip.compress(good, mtime=0), zlib.compress(self._good),
            bomb[:-9],
            gzip.compress(b"", mtime=0), good[:-8] + b"\x00" * 8, b"\x1f\x8b" * 500,
        ])  # fmt: skip
        return Attack("gzip", (self._post(body, line),), (Want(REFUSED),))

    def _chunks(self) -> Attack:
        body, line = self._good, "Transfer-Encoding: chunked"
        whole = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        legal = [
            whole, whole.replace(b"\r\n", b";a=b\r\n", 1), b"000" + whole,
            whole.upper()[:4] + whole[4:],
            b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n",
            whole[:-2] + b"X: y\r\n\r\n",
        ]  # fmt: skip
        if self._rng.random() < 0.3:
            data = self._post(b"", line, length=False) + self._rng.choice(legal)
            return Attack("chunks", (data,), (Want(frozenset({200}), body),))
        lines, data = self._rng.choice([
            (line, b"-1\r\n" + whole), (line, b"0x" + whole), (line, b" " + whole), (line, body),
            (line, b"f" * 40 + b"\r\n" + body), (line, b"\r\n" + whole), (line,
            whole[:3] + whole[5:]),
            (line, whole[:-9]), (line, whole[:-5]), (line, b"0\r\n\r\n"), (line, b"z\r\n\r\n"),
            (f"{line}\r\nContent-Length: {len(whole)}", whole), (f"{line}\r\n{line}", whole),
            ("Transfer-Encoding: gzip, chunked", whole), ("Transfer-Encoding: identity", whole),
            ("Transfer-Encoding: xchunked", whole), ("Transfer-Encoding:\r\n chunked", whole),
            ("Transfer-Encoding : chunked", whole), ("Transfer-Encoding: chunked, chunked", whole),
            (line, b"2000000\r\n" + b" " * 2**25 + b"\r\n2000000\r\n" + b" " * 2**20),
            (line, b"1;" + b"a" * 90_000 + b"\r\n"),
        ])  # fmt: skip
        sent = self._post(b"", lines, length=False) + data
        # A folded line is legal for readers (RFC 9112, 5.2).
        may_be = ANY if "\r\n chunked" in lines else REFUSED_OR_CLOSED
        return Attack("chunks", (sent,), (Want(may_be, body),))

    def _pipelined(self) -> Attack:
        other = body_of(encoded("PNG", self._rng.choice([16, 20, 28])))
        bodies = [self._good, other]
        first = Want(frozenset({200}), self._good)
        good = [self._post(body, close=False) for body in bodies]
        hidden = self._post(self._post(other), close=False)
        posts, wants = self._rng.choice([
            ([*good, self._post(other)], [first, *[Want(frozenset({200}), other)] * 2]),
            ([good[0], self._post(b"{", close=False), self._post(other)],
             [first, Want(REFUSED), Want(frozenset({200}), other)]),
            ([good[0], b"\x00\x01 no HTTP\r\n\r\n", good[1]], [first, Want(REFUSED_OR_CLOSED)]),
            # A request in the body of another is none.
            ([hidden, self._post(other)], [Want(REFUSED), Want(frozenset({200}), other)]),
            ([self._post(b"", "Content-Length: 5", "Transfer-Encoding: chunked", close=False,
                         length=False) + b"0\r\n\r\n" + good[1]], [Want(REFUSED)]),
            ([good[0]] * 8 + [self._post(other)], [first] * 8 + [Want(frozenset({200}), other)]),
        ])  # fmt: skip
        return Attack("pipelined", (b"".join(posts),), tuple(wants))

    def _slow(self) -> Attack:
        sent = self._post(self._good)
        count = self._rng.randint(3, 9)
        step = len(sent) // count + 1
        parts = tuple(sent[at : at + step] for at in range(0, len(sent), step))
        whole = frozenset({200})
        if self._rng.random() < 0.5:
            return Attack("slow", parts, (Want(whole, self._good),), pause=0.05)
        # It goes away in the middle.
        return Attack("slow", parts[: self._rng.randint(1, len(parts) - 1)],
        (Want(REFUSED_OR_CLOSED),),
                      pause=0.02, leaves=True)  # fmt: skip

    def _translate(self) -> Attack:
        return translate_attack(self._rng, self._model, self._changed)

    # ---- gRPC ----

    def _grpc_call(self) -> Attack:
        from tensorflow_serving.apis import predict_pb2

        rng, request = self._rng, predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = self._model, "image_bytes"
        tensor = request.inputs["image_bytes"]
        tensor.dtype = 7
        tensor.tensor_shape.dim.add(size=1)
        tensor.string_val.append(rng.choice([self._png, self._jpeg]))
        method = "/tensorflow.serving.PredictionService/Predict"
        data = request.SerializeToString()
        if rng.random() < 0.5:
            data = self._changed(data)
            wants = Want(REFUSED_BY_GRPC | {"OK"}, data)
            return Attack("gRPC call", (data,), (wants,), method=method)
        service = "/tensorflow.serving.PredictionService"
        method, data = rng.choice([
            (method, b""), (method, b"\xff" * 50), (method, data[:-20]), (method,
            bytes(33 * 2**20)),
            (f"{service}/GetModelMetadata", data), (f"{service}/Classify", data), ("/none/None",
            data),
            ("/tensorflow.serving.ModelService/GetModelStatus", b"\x0a\xff"),
            ("/tensorflow.serving.ModelService/HandleReloadConfigRequest", b""),
            ("/grpc.health.v1.Health/Check", b"\x0a\x04none"), ("/grpc.health.v1.Health/Watch",
            b""),
            ("/grpc.health.v1.Health/Check", b"\xff"),
            (method, data.replace(self._model.encode(), b"x" * len(self._model))),
        ])  # fmt: skip
        return Attack("gRPC call", (data,), (Want(REFUSED_BY_GRPC),), method=method)

    def _grpc_bytes(self) -> Attack:
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
        data = self._rng.choice([
            self._post(self._good), b"\x00" * 500, preface, preface + b"\xff" * 500,
            preface + settings + self._rng.randbytes(200), b"\x16\x03\x01\x02\x00\x01" * 20,
            preface + settings + b"\x00\x00\x08\x06\x00\x00\x00\x00\x00pingpong" * 5000,
            preface + b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\xff\xff\xff\xff" * 3,
        ])  # fmt: skip
        return Attack("gRPC bytes", (data,), (Want(frozenset({NONE})),), to_grpc=True)

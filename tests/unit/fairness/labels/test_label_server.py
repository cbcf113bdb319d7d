"""The labelling page by an HTTP client: what it serves, to whom, and what it keeps."""

import http.client
import json
import threading
from urllib.parse import urlsplit

import pytest
import torch

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.errors import OutputError
from styleT2I.fairness.labels.answers import read_answers
from styleT2I.fairness.labels.sample import SampledImage
from styleT2I.fairness.labels.server import LabelServer
from styleT2I.fairness.labels.session import open_session
from styleT2I.torch_utils.images import save_png


class Client:
    """Requests to a server, without a browser."""

    def __init__(self, server):
        self.port, self.prefix = server.server_port, urlsplit(server.address).path

    def __call__(self, place, body=None, prefix=None, method=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = None if body is None else json.dumps(body).encode() if isinstance(body, dict) else body
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            headers.setdefault("Content-Type", "application/json")
        method = method or ("GET" if data is None else "POST")
        connection.request(method, (self.prefix if prefix is None else prefix) + place, data, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(content) if is_json else content, response.headers


@pytest.fixture
def server(tmp_path):
    images = []
    for index in range(3):
        path = tmp_path / f"{index:016x}.png"
        save_png(path, torch.full((3, 8, 8), 40 * index, dtype=torch.uint8))
        images.append(SampledImage(path.stem, path, ("he", "lipstick")))
    session = open_session(tmp_path, "anna", images, load_vocabulary("minifaces"), "key")
    with LabelServer(session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(20)


def test_every_image_is_answered_taken_back_and_kept_at_once(server, tmp_path):
    call = Client(server)
    status, shown, _ = call("next")
    assert status == 200 and shown["done"] == 0 and shown["num"] == 3
    status, image, headers = call(f"image/{shown['image']}.png")
    assert status == 200 and headers["Content-Type"] == "image/png"
    assert image == (tmp_path / f"{shown['image']}.png").read_bytes()
    answers = {"he": "no", "lipstick": "undecided"}
    status, after, _ = call("answers", {"image": shown["image"], "answers": answers})
    assert status == 200 and after["done"] == 1 and after["image"] != shown["image"]
    assert read_answers(tmp_path, "anna").given[shown["image"], "lipstick"][0] == "undecided"
    assert call("back", {})[1]["image"] == shown["image"]
    for _ in range(3):
        image = call("next")[1]["image"]
        _, after, _ = call("answers", {"image": image, "answers": answers})
    assert after == {"done": 3, "num": 3} and read_answers(tmp_path, "anna").is_sealed
    assert call("finish", {})[0] == 200


def test_the_page_is_blind_and_loads_only_itself(server):
    status, page, headers = Client(server)("")
    assert status == 200 and b"http://" not in page.replace(b"http://www.w3.org", b"") and b"https://" not in page
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'sha256-" in policy and "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    shown = json.dumps(Client(server)("next")[1])
    assert "+" not in shown and "sentence" not in shown and "seed" not in shown


def test_strangers_and_what_is_no_request_are_refused_and_nothing_is_kept(server, tmp_path):
    call = Client(server)
    image = call("next")[1]["image"]
    assert call("next", prefix="/")[0] == 403 and call("next", prefix="/guessed/")[0] == 403
    assert call("next", Host="evil.example:80")[0] == 403
    assert call("image/../../labels/anna.csv")[0] == 404 and call("image/ffff.png")[0] == 404
    assert call("nothing")[0] == 404 and call("nothing", {})[0] == 404
    assert call("answers", b"not json")[0] == 400 and call("answers", b"[1]")[0] == 400
    assert call("answers", b'{"answers": 3}')[0] == 400
    assert call("answers", {"image": image, "answers": {"he": "yes"}})[0] == 400
    whole = {"image": image, "answers": {"he": "yes", "lipstick": "no"}}
    assert call("answers", whole, Content_Type="text/plain")[0] == 400  # what a foreign page's form could send
    assert call("answers", b"", Content_Length="999999999")[0] == 400
    assert read_answers(tmp_path, "anna").given == {}
    with pytest.raises(OutputError, match="cannot be used"):
        LabelServer(server.session, server.server_port)


def test_finishing_stops_the_server(tmp_path):
    session = open_session(tmp_path, "ben", [], load_vocabulary("minifaces"), "key")
    with LabelServer(session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        assert Client(server)("finish", {})[0] == 200
        thread.join(20)
        assert not thread.is_alive()

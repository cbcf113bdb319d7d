"""Downloads from a server that misbehaves: a file appears whole and verified, or not at all, and one line says why."""

import errno
import hashlib
import json
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from styleT2I.errors import DownloadError, OutputError
from styleT2I.sources import download as download_module
from styleT2I.sources import web
from styleT2I.sources.download import download
from tests.conftest import ROOT
from tests.web_server import Answer, web_server

BODY = hashlib.shake_256(b"weights").digest(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(download_module, "DELAYS", (0.0, 0.0, 0.0))
    monkeypatch.setattr(web, "TIMEOUT", 0.4)


@pytest.fixture
def server():
    with web_server({"/ffhq.pkl": Answer(BODY)}) as server:
        yield server


def fetch(server, tmp_path, path="/ffhq.pkl", **known):
    return download(server.url + path, tmp_path / "cache" / "ffhq.pkl", **known)


def error_of(server, tmp_path, path="/ffhq.pkl", kind=DownloadError, **known):
    """The one line of a failing download, which leaves nothing under the file's own name."""
    with pytest.raises(kind) as caught:
        fetch(server, tmp_path, path, **known)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache/ffhq.pkl").exists()
    return str(caught.value)


def ranges(server):
    return [wanted for _, wanted in server.requests]


def leftovers(tmp_path):
    return sorted(p.name for p in (tmp_path / "cache").iterdir() if not p.name.endswith(".lock"))


def test_a_file_arrives_whole_and_is_fetched_once(server, tmp_path):
    path = fetch(server, tmp_path, size=len(BODY), sha256=SHA256)
    assert path.read_bytes() == BODY and leftovers(tmp_path) == ["ffhq.pkl"]
    assert fetch(server, tmp_path, sha256=SHA256) == path
    assert len(server.requests) == 1


@pytest.mark.filterwarnings("ignore:ffhq.pkl. the connection ended")
def test_a_cut_connection_is_resumed_where_it_broke(server, tmp_path):
    server.answers["/ffhq.pkl"].faults = ["cut", "cut"]
    assert fetch(server, tmp_path, sha256=SHA256).read_bytes() == BODY
    assert ranges(server) == [None, "bytes=150000-", "bytes=225000-"]


@pytest.mark.filterwarnings("ignore:ffhq.pkl. nothing came")
def test_a_stalled_connection_is_given_up_and_resumed(server, tmp_path):
    server.answers["/ffhq.pkl"].faults = ["stall"]
    assert fetch(server, tmp_path, sha256=SHA256).read_bytes() == BODY
    assert ranges(server)[1].startswith("bytes=")


@pytest.mark.filterwarnings("ignore:ffhq.pkl. ")
def test_a_later_process_resumes_what_an_earlier_one_left(server, tmp_path, monkeypatch):
    server.answers["/ffhq.pkl"].faults = ["cut"] + ["reset"] * 3
    error_of(server, tmp_path)
    assert leftovers(tmp_path) == ["ffhq.pkl.part", "ffhq.pkl.part.json"]
    assert fetch(server, tmp_path, sha256=SHA256).read_bytes() == BODY
    assert ranges(server)[-1] == "bytes=150000-"


@pytest.mark.filterwarnings("ignore:ffhq.pkl. ")
@pytest.mark.parametrize("fault", ["ignore-range", "wrong-range"])
def test_a_server_that_cannot_resume_gives_the_whole_file_anew(server, tmp_path, fault):
    server.answers["/ffhq.pkl"].faults = ["cut", fault]
    assert fetch(server, tmp_path, sha256=SHA256).read_bytes() == BODY


@pytest.mark.filterwarnings("ignore:ffhq.pkl. ")
@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_without_a_strong_validator_nothing_is_pieced_together(server, tmp_path, etag):
    server.answers["/ffhq.pkl"].etag = etag
    server.answers["/ffhq.pkl"].faults = ["cut"]
    assert fetch(server, tmp_path, sha256=SHA256).read_bytes() == BODY
    assert ranges(server) == [None, None]


@pytest.mark.filterwarnings("ignore:ffhq.pkl. ")
def test_a_file_that_changes_between_attempts_is_begun_anew(server, tmp_path):
    def change(answer):
        answer.body, answer.etag = BODY[::-1], '"2"'

    server.answers["/ffhq.pkl"].faults = ["cut", change]
    assert fetch(server, tmp_path).read_bytes() == BODY[::-1]


@pytest.mark.filterwarnings("ignore:ffhq.pkl. ")
def test_a_change_that_the_server_hides_is_caught_by_the_hash(server, tmp_path):
    def change(answer):
        answer.body = bytes(len(BODY))

    def restore(answer):
        answer.body = BODY

    server.answers["/ffhq.pkl"].faults = ["cut", change, restore]
    assert fetch(server, tmp_path, sha256=SHA256).read_bytes() == BODY
    assert ranges(server) == [None, "bytes=150000-", None]


@pytest.mark.filterwarnings("ignore:ffhq.pkl. ")
def test_a_part_whose_last_byte_had_come_needs_no_more_bytes(server, tmp_path):
    server.answers["/ffhq.pkl"].faults = ["cut"] + ["reset"] * 3
    error_of(server, tmp_path)
    assert "ffhq.pkl" not in (tmp_path / "cache/ffhq.pkl.part.json").read_text()  # nor a token of the address
    (tmp_path / "cache/ffhq.pkl.part").write_bytes(BODY)
    assert fetch(server, tmp_path, sha256=SHA256).read_bytes() == BODY


def test_a_part_of_another_address_is_not_used(server, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/ffhq.pkl.part").write_bytes(b"other")
    note = {"url": hashlib.sha256(b"https://elsewhere/ffhq.pkl").hexdigest(), "validator": '"1"', "total": len(BODY)}
    (tmp_path / "cache/ffhq.pkl.part.json").write_text(json.dumps(note))
    assert fetch(server, tmp_path).read_bytes() == BODY
    assert ranges(server) == [None]


@pytest.mark.filterwarnings("ignore:ffhq.pkl. ")
@pytest.mark.parametrize("fault", [500, 502, 503, 429, "reset"])
def test_trouble_that_passes_is_waited_out(server, tmp_path, fault):
    server.answers["/ffhq.pkl"].faults = [fault, fault]
    assert fetch(server, tmp_path).read_bytes() == BODY


def test_a_server_is_waited_for_as_long_as_it_asks(server, tmp_path, monkeypatch):
    server.answers["/ffhq.pkl"].faults = [503]
    server.answers["/ffhq.pkl"].headers = {"Retry-After": "7"}
    waits = []
    monkeypatch.setattr(download_module, "time", SimpleNamespace(sleep=waits.append))
    with pytest.warns(UserWarning, match="another attempt in 7 s"):
        fetch(server, tmp_path)
    assert waits == [7.0]


@pytest.mark.filterwarnings("ignore:ffhq.pkl. ")
def test_trouble_that_stays_names_the_file_and_where_to_put_it(server, tmp_path):
    server.answers["/ffhq.pkl"].faults = [500] * 9
    line = error_of(server, tmp_path)
    assert "answers 500, in 4 attempts" in line
    assert f"{server.url}/ffhq.pkl" in line and line.endswith(f"save it as {tmp_path / 'cache/ffhq.pkl'}")
    assert len(server.requests) == 4


@pytest.mark.filterwarnings("ignore:ffhq.pkl. ")
def test_a_server_that_drips_is_not_followed_for_ever(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download_module, "MAX_ATTEMPTS", 6)
    server.answers["/ffhq.pkl"].faults = ["cut"] * 9
    assert "in 6 attempts" in error_of(server, tmp_path)


def test_a_404_page_is_final_and_never_taken_for_the_file(server, tmp_path):
    assert "no such file (status 404)" in error_of(server, tmp_path, "/gone.pkl")
    assert len(server.requests) == 1 and leftovers(tmp_path) == []


@pytest.mark.parametrize("status, named", [(401, "login"), (403, "licence"), (451, "451")])
def test_a_refusal_is_final(server, tmp_path, status, named):
    server.answers["/ffhq.pkl"].faults = [status]
    assert named in error_of(server, tmp_path)


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_page_in_place_of_the_file_is_recognised(server, tmp_path, content_type):
    page = b"\n<!DOCTYPE html><title>Please accept our cookies</title>"
    server.answers["/ffhq.pkl"] = Answer(page, content_type=content_type)
    assert "web page" in error_of(server, tmp_path)
    assert leftovers(tmp_path) in ([], ["ffhq.pkl.part.json"])


def test_a_git_lfs_pointer_and_an_empty_file_are_recognised(server, tmp_path):
    server.answers["/ffhq.pkl"] = Answer(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert "git-LFS pointer" in error_of(server, tmp_path)
    server.answers["/ffhq.pkl"] = Answer(b"")
    assert "empty" in error_of(server, tmp_path)


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": "no such file"}',
        b'["not found"]',
        b"\xef\xbb\xbf<!DOCTYPE html><p>please log in",
        b"<!-- a comment --> <!-- another -->\n<html><p>please log in",
        b"<Error><Code>AccessDenied</Code></Error>",
    ],
)
def test_a_servers_message_sent_as_if_all_were_well_is_not_kept(server, tmp_path, body):
    server.answers["/ffhq.pkl"] = Answer(body)
    assert "in place of the file" in error_of(server, tmp_path)
    server.answers["/ffhq.pkl"] = Answer(BODY)
    assert fetch(server, tmp_path).read_bytes() == BODY


def test_a_message_in_place_of_a_manifest_is_not_kept(server, tmp_path):
    server.answers["/t2d.json"] = Answer(b'{"message": "Not Found", "status": "404"}')
    with pytest.raises(DownloadError, match="message in place of the file"):
        download(f"{server.url}/t2d.json", tmp_path / "t2d.json")
    server.answers["/t2d.json"] = Answer(b'{"format_version": 1, "message": "a note"}')
    assert download(f"{server.url}/t2d.json", tmp_path / "t2d.json").is_file()


def test_another_file_than_the_one_known_is_refused(server, tmp_path):
    assert "offers 300000 bytes where 9 belong" in error_of(server, tmp_path, size=9)
    assert SHA256 in error_of(server, tmp_path, sha256="0" * 64)
    assert "ffhq.pkl.part" not in leftovers(tmp_path)


@pytest.mark.filterwarnings("ignore:ffhq.pkl. ")
def test_a_length_that_promises_too_much_is_no_whole_file(server, tmp_path):
    server.answers["/ffhq.pkl"].faults = ["long"] * 9
    server.answers["/ffhq.pkl"].etag = None
    assert "ended at 300000 of 600000 bytes" in error_of(server, tmp_path)


def test_a_length_that_promises_too_little_is_caught_where_the_file_is_known(server, tmp_path):
    server.answers["/ffhq.pkl"].headers = {"Content-Length": "1000"}
    server.answers["/ffhq.pkl"].has_length = False
    assert "offers 1000 bytes where 300000 belong" in error_of(server, tmp_path, size=len(BODY))


def test_a_file_of_unknown_length_arrives(server, tmp_path):
    server.answers["/ffhq.pkl"].has_length = False
    assert fetch(server, tmp_path, sha256=SHA256).read_bytes() == BODY


@pytest.mark.parametrize("known", [{"size": 4000}, {"size": 4000, "sha256": SHA256}])
def test_a_server_without_end_is_left_at_the_known_size(server, tmp_path, monkeypatch, known):
    """Without a length in its answer, as a chunked one has none."""
    server.answers["/ffhq.pkl"] = Answer(bytes(1 << 24), has_length=False)
    monkeypatch.setattr(download_module, "BLOCK", 1 << 12)
    written = []
    monkeypatch.setattr(download_module, "tqdm", lambda **_: FakeBar(written))
    assert "sends more than the 4000 bytes" in error_of(server, tmp_path, **known)
    assert sum(written) <= 4000 and "ffhq.pkl.part" not in leftovers(tmp_path)


class FakeBar:
    """Keeps what a progress bar is told."""

    def __init__(self, written):
        self.update = written.append

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_a_server_without_end_or_known_size_leaves_the_disk_some_space(server, tmp_path, monkeypatch):
    server.answers["/ffhq.pkl"] = Answer(bytes(1 << 22), has_length=False)
    monkeypatch.setattr(download_module.shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    assert "no end of it is known" in error_of(server, tmp_path, kind=OutputError)
    assert "ffhq.pkl.part" not in leftovers(tmp_path)


@pytest.mark.filterwarnings("ignore:ffhq.pkl. ")
def test_what_a_server_says_cannot_steer_the_terminal(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/ffhq.pkl"
        thread = threading.Thread(target=answer_raw, args=(listening, b"\x1b[2J\x1b]0;owned\x07 \x9b31m no status\r\n"))
        thread.start()
        with pytest.raises(DownloadError) as caught:
            download(url, tmp_path / "ffhq.pkl")
        thread.join()
    assert str(caught.value).isprintable() and "owned" in str(caught.value)


def answer_raw(listening, line):
    for _ in range(4):  # as many attempts as there are
        connection, _ = listening.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(line)


def test_redirects_are_followed_a_few_times(server, tmp_path):
    for step in range(5):
        server.answers[f"/{step}"] = Answer(redirect=f"/{step + 1}" if step < 4 else "/ffhq.pkl")
    assert fetch(server, tmp_path, "/0").read_bytes() == BODY
    server.answers["/more"] = Answer(redirect="/0")
    (tmp_path / "cache/ffhq.pkl").unlink()
    assert "more than 5 times" in error_of(server, tmp_path, "/more")


@pytest.mark.parametrize("target", ["/loop", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://example.org/x"])
def test_a_redirect_in_a_circle_or_to_an_unsafe_place_is_not_followed(server, tmp_path, target):
    server.answers["/loop"] = Answer(redirect=target)
    assert "sends us on" in error_of(server, tmp_path, "/loop")


@pytest.mark.parametrize(
    "url, named",
    [
        ("http://example.org/ffhq.pkl", "not encrypted"),
        ("ftp://example.org/ffhq.pkl", "https://HOST/FILE"),
        ("file:///etc/passwd", "https://HOST/FILE"),
        ("https:///ffhq.pkl", "https://HOST/FILE"),
        ("https://me:secret@example.org/ffhq.pkl", "user name"),
        ("https://example.org/a b", "spaces"),
        ("https://[::1/ffhq.pkl", "not a valid address"),
    ],
)
def test_an_unsafe_address_is_refused_before_anything_is_asked(tmp_path, url, named):
    with pytest.raises(DownloadError, match=named):
        download(url, tmp_path / "ffhq.pkl")


@pytest.mark.filterwarnings("ignore:ffhq.pkl. ")
def test_a_server_that_is_not_there_is_said_in_one_line(tmp_path):
    with web_server({}) as server:
        url = server.url
    with pytest.raises(DownloadError, match=r"no connection .*save it as .*ffhq\.pkl"):
        download(f"{url}/ffhq.pkl", tmp_path / "ffhq.pkl")


def test_a_disk_too_small_is_told_before_the_download(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download_module, "SPARE", 1 << 60)
    assert "STYLET2I_CACHE" in error_of(server, tmp_path, kind=OutputError)
    assert leftovers(tmp_path) == []


def test_a_disk_that_fills_up_on_the_way_is_left_clean(server, tmp_path, monkeypatch):
    class FullDisk:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, block):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download_module, "open", lambda *_: FullDisk(), raising=False)
    assert "No space left on device" in error_of(server, tmp_path, kind=OutputError)
    assert leftovers(tmp_path) == []


def test_a_file_put_there_by_hand_is_used_only_if_it_is_the_right_one(server, tmp_path):
    path = tmp_path / "cache/ffhq.pkl"
    path.parent.mkdir()
    path.write_bytes(BODY)
    assert fetch(server, tmp_path, size=len(BODY), sha256=SHA256) == path
    path.write_bytes(BODY[:-1] + b"x")
    with pytest.raises(DownloadError, match="its SHA-256 is .* delete it"):
        fetch(server, tmp_path, sha256=SHA256)
    with pytest.raises(DownloadError, match="300000 bytes where 5 belong"):
        fetch(server, tmp_path, size=5)
    assert server.requests == []


def test_processes_that_want_one_file_fetch_it_once(server, tmp_path):
    server.answers["/ffhq.pkl"].delay = 1.0  # long enough for all to have started
    code = (
        "import sys; from styleT2I.sources.download import download as d; print(d(*sys.argv[1:3], sha256=sys.argv[3]))"
    )
    command = [sys.executable, "-c", code, f"{server.url}/ffhq.pkl", str(tmp_path / "cache/ffhq.pkl"), SHA256]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    runs = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [run.communicate()[0].strip() for run in runs] == [str(tmp_path / "cache/ffhq.pkl")] * 3
    assert (tmp_path / "cache/ffhq.pkl").read_bytes() == BODY
    assert len(server.requests) == 1

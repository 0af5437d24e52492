"""The local page as somebody who should not see it would ask for it, and as its own page does."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from glotmix.core import local_page
from glotmix.core.errors import MissingExtraError, RequestError

PAGE = "<!doctype html><title>words</title><script type=module src=app.js></script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("page")
    (made / "index.html").write_text(PAGE, "utf-8")
    (made / "app.js").write_text("export {}", "utf-8")
    (made / "secret.txt").write_text("not of the web", "utf-8")
    return made


def refuse(given):
    raise RequestError("no such language: xxx", "write fra_Latn")


@pytest.fixture(scope="module")
def page(folder):
    calls = {"echo": lambda given: {"had": given}, "refuse": refuse, "broken": lambda given: given["absent"]}
    made = local_page.LocalPage(folder, calls)
    with made.running():
        yield made


def ask(page, path, method="GET", body=None, host=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    connection.putheader("Host", f"127.0.0.1:{page.port}" if host is None else host)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    read = answer.read()
    connection.close()
    return answer, read


def own(page, rest=""):
    return urlsplit(page.address).path + rest


def test_the_page_its_files_and_its_calls_are_answered(page):
    answer, body = ask(page, own(page))
    assert answer.status == 200 and body.decode() == PAGE and answer.headers["Content-Type"].startswith("text/html")
    assert ask(page, own(page, "app.js"))[0].headers["Content-Type"].startswith("text/javascript")
    said = {"text": "ሰላም שלום \u202e<script>"}
    answer, body = ask(page, own(page, "api/echo"), "POST", json.dumps(said).encode())
    assert answer.status == 200 and json.loads(body) == {"had": said}


def test_every_answer_carries_the_policy(page):
    for path in (own(page), own(page, "api/echo"), "/", "/wrong/", own(page, "nothing.js")):
        headers = ask(page, path, "POST" if "api" in path else "GET", b"{}" if "api" in path else None)[0].headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy and "http" not in policy
        assert headers["Referrer-Policy"] == "no-referrer" and headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store" and "Server" not in headers


def test_without_the_token_nothing_is_answered(page):
    token = own(page).strip("/")
    assert len(token) >= 32
    near = (f"/{token[:-1]}/", f"/{token}x/", f"/{token.upper()}/")
    for wrong in ("/", "//", "/index.html", "/api/echo", "/%C3%A9/", *near):
        answer, body = ask(page, wrong)
        assert answer.status == 404 and PAGE.encode() not in body
    assert ask(page, f"/{token[:-1]}/api/echo", "POST", b"{}")[0].status == 404


def test_the_token_is_new_every_time(folder, page):
    other = local_page.LocalPage(folder, {})
    assert other.address != page.address and own(other) != own(page)
    other._socket.close()


def test_another_name_for_this_machine_is_refused(page):
    """What a page of evil.example reaches after its name was bound to 127.0.0.1."""
    for host in ("evil.example", f"evil.example:{page.port}", "127.0.0.1", f"127.0.0.1:{page.port}.evil.example", ""):
        answer, body = ask(page, own(page), host=host)
        assert answer.status == 421 and PAGE.encode() not in body, host
    assert ask(page, own(page), host=f"localhost:{page.port}")[0].status == 200


def test_a_call_from_another_site_is_refused(page):
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}):
        assert ask(page, own(page, "api/echo"), "POST", b"{}", **headers)[0].status == 403
    fine = {"Origin": f"http://127.0.0.1:{page.port}", "Sec_Fetch_Site": "same-origin"}
    assert ask(page, own(page, "api/echo"), "POST", b"{}", **fine)[0].status == 200
    # A simple request of a form or an image cannot call, either.
    assert ask(page, own(page, "api/echo"))[0].status == 405


def test_only_files_of_the_web_in_the_folder_are_served(page):
    for name in ("secret.txt", "../index.html", "..%2f..%2fetc%2fpasswd", "%2e%2e/index.html", ".index.html"):
        assert ask(page, own(page, name))[0].status == 404, name


def test_errors_are_said_and_say_what_to_do(page):
    answer, body = ask(page, own(page, "api/refuse"), "POST", b"{}")
    assert answer.status == 400
    assert json.loads(body) == {"error": "no such language: xxx", "fix": "write fra_Latn"}
    for bad in (b"{", b"[1]", b"\xff"):
        assert ask(page, own(page, "api/echo"), "POST", bad)[0].status == 400
    assert ask(page, own(page, "api/broken"), "POST", b"{}")[0].status == 400
    assert ask(page, own(page, "api/unknown"), "POST", b"{}")[0].status == 404
    assert ask(page, own(page, "api/echo"), "POST", b" " * (local_page.LARGEST + 1))[0].status == 413


def test_it_listens_on_the_loopback_address_alone(page):
    assert page._socket.getsockname()[0] == "127.0.0.1"
    other = socket.gethostbyname(socket.gethostname())
    if other != "127.0.0.1":
        with pytest.raises(OSError):
            socket.create_connection((other, page.port), timeout=2)


def test_a_port_that_is_taken_says_so(page, folder):
    with pytest.raises(RequestError, match="port") as told:
        local_page.LocalPage(folder, {}, port=page.port)
    assert "--port 0" in told.value.fix


def test_without_the_extra_it_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError) as told:
        local_page.LocalPage(folder, {}, "glotmix explore")
    assert "glotmix explore" in told.value.message and told.value.fix == "pip install 'glotmix[explore]'"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(folder, number):
    program = (
        "import signal, sys\nfrom pathlib import Path\nfrom glotmix.core.local_page import LocalPage\n"
        "def stop(*_): raise KeyboardInterrupt\nsignal.signal(signal.SIGTERM, stop)\n"
        "LocalPage(Path(sys.argv[1]), {}).serve(lambda address: print(address, flush=True))\nprint('ended')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, folder], stdout=subprocess.PIPE, text=True)
    address = process.stdout.readline().strip()
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(address).port, timeout=10)
    connection.request("GET", urlsplit(address).path)
    assert connection.getresponse().status == 200
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert said.strip() == "ended" and process.returncode == 0

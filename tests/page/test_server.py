import json
import threading
import urllib.error
import urllib.request

import pytest

import swapmark
from swapmark.cli import main
from swapmark.errors import InputError
from swapmark.page.server import Page


@pytest.fixture
def page(photos, tmp_path):
    with Page(photos, tmp_path / "marks.csv", names=("red",)) as page:
        thread = threading.Thread(target=page.serve, kwargs={"browser": False})
        thread.start()
        yield page
        page.server.should_exit = True
        thread.join()


def ask(address: str, body=None, **headers: str) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        address, data, headers, method="GET" if body is None else "PUT"
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_points_that_are_put_are_in_the_table_and_come_back(page):
    assert json.loads(ask(f"{page.address}picture/1")[1])["name"] == "01.png"
    code, state = ask(f"{page.address}points/1", {"points": [[3, 4.504]], "missing": [False]})
    assert (code, json.loads(state)["marked"]) == (200, 1)
    assert swapmark.read_points(page.session.marks.path).xy.tolist() == [[[3.0, 4.5]]]
    assert json.loads(ask(f"{page.address}picture/1")[1])["points"] == [[3.0, 4.5]]
    assert json.loads(ask(f"{page.address}names", {"names": ["a", "b"]})[1])["names"] == ["a", "b"]
    code, told = ask(f"{page.address}points/1", {"points": [], "missing": []})
    assert (code, "not 2 points" in json.loads(told)["problem"]) == (409, True)


def test_only_who_knows_the_address_and_calls_this_machine_by_its_name_is_answered(page):
    assert ask(f"{page.address}state")[0] == 200
    root, token = page.address[:-1].rsplit("/", 1)
    for address in (f"{root}/{token[:-1]}x/state", f"{root}/state", f"{root}/", f"{root}//state"):
        assert ask(address)[0] == 404
    assert ask(f"{page.address}state", Host="marks.example:80")[0] == 400
    assert (
        ask(f"{page.address}points/0", {"points": [[1, 1]], "missing": [False]}, Host="x")[0] == 400
    )
    assert not page.session.marks.path.exists()


@pytest.mark.parametrize(
    "path",
    ["../marks.csv", "..%2fmarks.csv", "image/../../x", "image/00.png", "image/-1", "image/99"],
)
def test_nothing_but_pictures_by_their_number_is_given_out(page, path):
    assert ask(page.address + path)[0] in (404, 409)


def test_a_picture_and_the_page_itself_come_with_what_forbids_other_sources(page):
    with urllib.request.urlopen(page.address) as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert b"mark.js" in answer.read()
    for file in ("mark.js", "mark.css"):
        assert ask(page.address + file)[0] == 200
    code, picture = ask(f"{page.address}image/0")
    assert (code, picture[1:4]) == (200, b"PNG")


def test_a_port_in_use_is_told(page, photos, tmp_path):
    port = int(page.address.split(":")[2].split("/")[0])
    with pytest.raises(InputError, match=f"Port {port} cannot be used"):
        Page(photos, tmp_path / "other.csv", port=port)


def test_the_command_says_where_the_page_is_and_what_comes_next(
    photos, tiny_run, tmp_path, capsys, monkeypatch, mark
):
    out = tmp_path / "marks.csv"

    def serve(page: Page, *, browser: bool) -> None:
        assert not browser
        assert page.address in capsys.readouterr().out
        for index in range(2):
            mark(page.session, index)

    monkeypatch.setattr(Page, "serve", serve)
    words = ["--out", str(out), "--names", "red, green", "--address-only"]
    assert main(["mark", str(tiny_run.path), str(photos), *words]) == 0
    told = capsys.readouterr().out
    assert "2 pictures marked" in told
    assert f"swapmark fit {tiny_run.path} {out} --images {photos} --out mine" in told
    assert main(["mark", str(photos), *words]) == 0
    assert "swapmark fit" not in capsys.readouterr().out

import math

import pytest

from swapmark.errors import InputError, LeftOutWarning
from swapmark.points.text import decode_text, number, read_table


def cells(content: bytes) -> list[list[str]]:
    return [line for _, line in read_table("t.csv", content).rows]


@pytest.mark.parametrize(
    "text",
    [
        "file,a_x,a_y\nmy fly.png,1.5,2\n",
        "file,a_x,a_y\r\nmy fly.png,1.5,2",
        "file,a_x,a_y\rmy fly.png,1.5,2\r",
        "\n , ,\nfile , a_x,a_y\n\nmy fly.png ,\t1.5, 2\n,,\n",
        "file;a_x;a_y\nmy fly.png;1.5;2\n",
        "file\ta_x\ta_y\nmy fly.png\t1.5\t2\n",
        '"file","a_x","a_y"\n"my fly.png","1.5","2"\n',
        "sep=;\r\nfile;a_x;a_y\r\nmy fly.png;1.5;2\r\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_of_all_sorts_of_programs_have_the_same_cells(text, encoding):
    assert cells(text.encode(encoding)) == [["file", "a_x", "a_y"], ["my fly.png", "1.5", "2"]]


def test_the_separator_is_the_one_that_makes_all_lines_alike():
    assert cells(b"file,left;right_x\na.png,1\nb.png,2\n")[1] == ["a.png", "1"]
    assert cells(b"file;x\na,b;1,5\n")[1] == ["a,b", "1,5"]
    assert cells(b'"a, ""b""",1\n')[0] == ['a, "b"', "1"]
    assert cells(b"") == []


def test_numbers_may_have_decimal_commas_where_commas_do_not_separate():
    assert read_table("t.csv", b"file;x\na;1,5\n").decimal_comma
    assert not read_table("t.csv", b"file,x\na,1\n").decimal_comma
    assert [number(cell, decimal_comma=True) for cell in ("1,5", "-,25", "2")] == [1.5, -0.25, 2]
    with pytest.raises(ValueError, match="1,5"):
        number("1,5", decimal_comma=False)


@pytest.mark.parametrize("decimal_comma", [True, False])
def test_nothing_stands_for_nan_and_what_is_no_finite_number_is_refused(decimal_comma):
    for cell in ("", "NA", "nan", "N/A", "NULL"):
        assert math.isnan(number(cell, decimal_comma=decimal_comma))
    for cell in ("four", "inf", "-Infinity", "1_000", "1.234,5", "0x10", "1e999"):
        with pytest.raises(ValueError, match=cell):
            number(cell, decimal_comma=decimal_comma)


def test_lines_are_counted_as_an_editor_does():
    rows = read_table("t.csv", b'file,x\n\n"a\nb",1\nc,2\n').rows
    assert [place for place, _ in rows] == ["line 1", "line 4", "line 5"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Zoë".encode("latin-1"), "UTF-8"),
        (b"\xff\xfea", "UTF-8"),
        (b"file\0\0\1", "binary"),
        (b'file,x\n1,2\n"3,4\n', "line 3: .*quote"),
        (b"file,x\na,1,5\n", "line 2: 3 cells"),
    ],
)
def test_what_is_no_table_is_refused(content, said):
    with pytest.raises(InputError, match=rf"t\.csv.*{said}"):
        read_table("t.csv", content)


def test_a_code_page_is_read_only_where_that_is_allowed_and_told():
    with pytest.warns(LeftOutWarning, match="cp1252"):
        assert decode_text("t.tps", "Zoë".encode("cp1252"), code_page="cp1252") == "Zoë"

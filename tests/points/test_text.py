import math

import pytest

from swapmark.errors import InputError
from swapmark.points.text import check_length, decode_text, read_text_table


def cells(content: bytes) -> list[list[str]]:
    return [line for _, line in read_text_table("t.csv", content).lines]


EXPECTED = [["file", "a_x", "a_y"], ["my fly.png", "1.5", "2"]]


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
    assert cells(text.encode(encoding)) == EXPECTED


def test_the_separator_is_the_one_that_makes_all_lines_alike():
    assert cells(b"file,left;right_x\na.png,1\nb.png,2\n")[1] == ["a.png", "1"]
    assert cells(b"file;x\na,b;1,5\n")[1] == ["a,b", "1,5"]
    assert cells(b'"a, ""b""",1\n')[0] == ['a, "b"', "1"]


def test_numbers_may_have_decimal_commas_where_commas_do_not_separate():
    table = read_text_table("t.csv", b"file;x;y\na;1,5;-,25\n")
    assert table.numbers(2, ["x", "y"], ["1,5", "-,25"]) == [1.5, -0.25]
    commas = read_text_table("t.csv", b'file,x\na,"1,234"\n')
    with pytest.raises(InputError, match=r"t\.csv, line 2: x is '1,234'; expected a number"):
        commas.numbers(2, ["x"], ["1,234"])


@pytest.mark.parametrize("cell", ["", "NA", "nan", "N/A", "NULL"])
def test_what_stands_for_nothing_is_not_known(cell):
    assert math.isnan(read_text_table("t.csv", b"x\n").numbers(2, ["x"], [cell])[0])


@pytest.mark.parametrize("cell", ["four", "inf", "-Infinity", "1_000", "1.234,5", "0x10", "1e999"])
@pytest.mark.parametrize("delimiter", [b",", b";"])
def test_what_is_no_finite_number_is_refused_with_its_place(cell, delimiter):
    table = read_text_table("t.csv", b"a" + delimiter + b"b\n")
    with pytest.raises(InputError, match=r"t\.csv, line 7: y is") as caught:
        table.numbers(7, ["x", "y"], ["1", cell])
    assert repr(cell) in str(caught.value)


def test_lines_are_counted_as_an_editor_does():
    table = read_text_table("t.csv", b'file,x\n\n"a\nb",1\nc,2,3\n')
    assert [number for number, _ in table.lines] == [1, 4, 5]
    with pytest.raises(InputError, match="line 5: 3 cells, but the first line has 2"):
        table.check_widths(2)
    with pytest.raises(InputError, match=r"line 2: 3 cells.*written with commas"):
        read_text_table("t.csv", b"file,x\na,1,5\n").check_widths(2)


def test_what_is_no_text_is_refused(monkeypatch):
    with pytest.raises(InputError, match="not UTF-8 text"):
        decode_text("t.csv", "Zoë".encode("latin-1"))
    with pytest.raises(InputError, match="binary data"):
        decode_text("t.csv", b"file\0\0\1")
    with pytest.raises(InputError, match=r"t\.csv, line 3: not a readable table .*quote"):
        read_text_table("t.csv", b'file,x\n1,2\n"3,4\n')
    check_length("t.csv", 256 * 2**20)
    with pytest.raises(InputError, match=r"t\.csv has 257 MiB"):
        check_length("t.csv", 257 * 2**20)


def test_an_empty_file_is_a_table_without_lines():
    assert read_text_table("t.csv", b"").lines == []

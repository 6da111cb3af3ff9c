import math

import pytest

from swapmark.errors import InputError
from swapmark.points.text import TextTable, check_length, decode_text, read_text_table


def cells(content: bytes) -> list[list[str]]:
    return [line for _, line in read_text_table("t.csv", content).lines]


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
    table = read_text_table("t.csv", b"file;x;y\na;1,5;-,25\n")
    assert table.numbers(2, ["x", "y"], ["1,5", "-,25"]) == [1.5, -0.25]
    with pytest.raises(InputError, match=r"t\.csv, line 2: x is '1,234'"):
        read_text_table("t.csv", b"file,x\n").numbers(2, ["x"], ["1,234"])


@pytest.mark.parametrize("cell", ["", "NA", "nan", "N/A", "NULL"])
def test_what_stands_for_nothing_is_not_known(cell):
    assert math.isnan(TextTable("t.csv", []).numbers(2, ["x"], [cell])[0])


@pytest.mark.parametrize("cell", ["four", "inf", "-Infinity", "1_000", "1.234,5", "0x10", "1e999"])
@pytest.mark.parametrize("decimal_comma", [True, False])
def test_what_is_no_finite_number_is_refused_with_its_place(cell, decimal_comma):
    table = TextTable("t.csv", [], decimal_comma)
    with pytest.raises(InputError, match=rf"t\.csv, line 7: y is '{cell}'"):
        table.numbers(7, ["x", "y"], ["1", cell])


def test_lines_are_counted_as_an_editor_does():
    lines = read_text_table("t.csv", b'file,x\n\n"a\nb",1\nc,2\n').lines
    assert [number for number, _ in lines] == [1, 4, 5]
    with pytest.raises(InputError, match="line 2: 3 cells"):
        read_text_table("t.csv", b"file,x\na,1,5\n")


def test_what_is_no_text_is_refused():
    with pytest.raises(InputError, match="UTF-8"):
        decode_text("t.csv", "Zoë".encode("latin-1"))
    with pytest.raises(InputError, match="binary"):
        decode_text("t.csv", b"file\0\0\1")
    with pytest.raises(InputError, match=r"t\.csv, line 3: .*quote"):
        read_text_table("t.csv", b'file,x\n1,2\n"3,4\n')
    check_length("t.csv", 256 * 2**20)
    with pytest.raises(InputError, match=r"t\.csv has 257 MiB"):
        check_length("t.csv", 257 * 2**20)

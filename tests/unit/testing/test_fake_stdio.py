"""How the fake Asterisk reads lines: stdio above a socket, limits, NULs, the end of file."""

import pytest

from fastagi_server.testing.asterisk.stdio import CommandLine, StdioReader


def reader_with(*chunks: bytes, limit: int = 8191) -> StdioReader:
    """Make a reader at whose socket `chunks` have arrived."""
    reader = StdioReader(limit)
    for chunk in chunks:
        reader.receive(chunk)
    return reader


def test_one_line() -> None:
    """A whole line is read without its line feed."""
    reader = reader_with(b"NOOP\n")
    assert reader.readable
    assert reader.next_line() == CommandLine(b"NOOP")
    assert not reader.readable


def test_second_line_of_a_segment_is_not_seen() -> None:
    """Two lines in one segment: the second lies in stdio and nothing says so."""
    reader = reader_with(b"A\nB\n")
    assert reader.next_line() == CommandLine(b"A")
    assert not reader.readable
    assert reader.stuck
    assert reader.held == 2


def test_more_bytes_free_a_stuck_line() -> None:
    """The stuck line is read when more bytes make the socket readable, and these after it."""
    reader = reader_with(b"A\nB\n")
    reader.next_line()
    reader.receive(b"C\n")
    assert reader.next_line() == CommandLine(b"B")
    assert reader.readable
    assert reader.next_line() == CommandLine(b"C")
    assert not reader.stuck


def test_end_of_file_frees_all_lines() -> None:
    """The end of file keeps the socket readable until everything is read."""
    reader = reader_with(b"A\nB\nC\n")
    reader.receive_end()
    lines: list[CommandLine | None] = []
    while reader.readable and CommandLine(b"", at_end=True) not in lines:
        lines.append(reader.next_line())
    assert lines == [
        CommandLine(b"A"),
        CommandLine(b"B"),
        CommandLine(b"C"),
        CommandLine(b"", at_end=True),
    ]


def test_partial_line_at_the_end_is_a_line() -> None:
    """Bytes without a line feed before the end of file are executed as a command."""
    reader = reader_with(b"SET VARIABLE Q 1")
    reader.receive_end()
    assert reader.next_line() == CommandLine(b"SET VARIABLE Q 1", at_end=True)
    assert reader.next_line() == CommandLine(b"", at_end=True)


def test_partial_line_spins() -> None:
    """A line without its line feed gives nothing, and is whole once the rest has come."""
    reader = reader_with(b"GET VARI")
    assert reader.next_line() is None
    reader.receive(b"ABLE A\n")
    assert reader.next_line() == CommandLine(b"GET VARIABLE A")


def test_nul_spins_and_swallows_the_rest_of_its_segment() -> None:
    """What follows a NUL is lost, line feed included, and the next line is glued on."""
    reader = reader_with(b"GET VARIABLE A\0B\n")
    assert reader.next_line() is None
    reader.receive(b"NOOP\n")
    assert reader.next_line() == CommandLine(b"GET VARIABLE ANOOP")


def test_leading_nul() -> None:
    """A NUL at the start makes the whole line vanish."""
    reader = reader_with(b"\0NOOP\n")
    assert reader.next_line() is None
    reader.receive(b"VERBOSE x\n")
    assert reader.next_line() == CommandLine(b"VERBOSE x")


@pytest.mark.parametrize(("limit", "length"), [(8191, 8190), (2047, 2046)])
def test_longest_line(limit: int, length: int) -> None:
    """A line of exactly the limit, its line feed included, is read whole."""
    reader = reader_with(b"x" * length + b"\n", limit=limit)
    assert reader.next_line() == CommandLine(b"x" * length)
    assert not reader.overran


@pytest.mark.parametrize("limit", [8191, 2047])
def test_excess_is_the_next_line(limit: int) -> None:
    """What is longer than the limit is read as another command."""
    reader = reader_with(b"x" * limit + b"FROB\n", limit=limit)
    reader.receive_end()
    assert reader.next_line() == CommandLine(b"x" * limit)
    assert reader.overran
    assert reader.next_line() == CommandLine(b"FROB")


def test_excess_of_one_byte_is_an_empty_command() -> None:
    """A line one byte too long leaves its line feed, an empty command, in the buffer."""
    reader = reader_with(b"x" * 8191 + b"\n")
    assert reader.next_line() == CommandLine(b"x" * 8191)
    reader.receive_end()
    assert reader.next_line() == CommandLine(b"")


def test_refill_takes_4096_bytes() -> None:
    """What does not fit one refill stays at the socket and keeps it readable."""
    reader = reader_with(b"NOOP\n" + b"y" * 4091 + b"\nVERBOSE 1\n")
    assert reader.next_line() == CommandLine(b"NOOP")
    assert reader.readable
    assert reader.next_line() == CommandLine(b"y" * 4091)
    assert reader.stuck


def test_cut_anywhere_gives_the_same_lines() -> None:
    """Wherever the network cuts the bytes, the lines are the same."""
    data = b'SET VARIABLE A "x y"\nNOOP\n\nGET VARIABLE B\n'
    for cut in range(1, len(data)):
        reader = reader_with(data[:cut])
        lines: list[bytes] = []
        while reader.readable:
            line = reader.next_line()
            if line is not None:
                lines.append(line.data)
        reader.receive(data[cut:])
        reader.receive_end()
        while (line := reader.next_line()) is not None and not line.at_end:
            lines.append(line.data)
        assert lines == [b'SET VARIABLE A "x y"', b"NOOP", b"", b"GET VARIABLE B"]

"""How the fake Asterisk splits a line into words, each case as Asterisk 22.10 did it."""

import pytest

from fastagi_server.testing.asterisk.words import StackOverwrittenError, split_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("NOOP", ["NOOP"]),
        ("  NOOP", ["NOOP"]),
        ("\tNOOP  x", ["NOOP", "x"]),
        ('""', [""]),
        ('GET VARIABLE ""', ["GET", "VARIABLE", ""]),
        ('"" ""', ["", ""]),
        ('""x', ["x"]),
        ('NOOP "a b"', ["NOOP", "a b"]),
        ('NOOP "unterminated x', ["NOOP", "unterminated x"]),
        ('S a"b c"d', ["S", "ab cd"]),
        ('S "a\\"b\\\\c"', ["S", 'a"b\\c']),
        ('"\\""', ['"']),
        ("S a\\ b", ["S", "a b"]),
        ("GET VAR\\IABLE V", ["GET", "VARIABLE", "V"]),
        ("S 'a b'", ["S", "'a", "b'"]),
        ("S trailing\\", ["S", "trailing"]),
        ("S x\r", ["S", "x\r"]),
        ("S \udcff", ["S", "\udcff"]),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    """Quotes group, a backslash makes the next character literal, blanks separate."""
    assert split_words(line) == words


def test_at_most_127_plain_words() -> None:
    """Words past the 127th are dropped, and the 127th is kept whole."""
    words = split_words(" ".join(f"w{i}" for i in range(200)))
    assert len(words) == 127
    assert words[-1] == "w126"


def test_127_quoted_words_are_survived() -> None:
    """127 words in quotes are the most that Asterisk has room for."""
    assert len(split_words('"w" ' * 127)) == 127


def test_128_quoted_words_crash() -> None:
    """The 128th word that begins with a quote is written past the end of the array."""
    with pytest.raises(StackOverwrittenError):
        split_words('"w" ' * 128)


def test_a_quoted_word_behind_127_plain_ones_crashes() -> None:
    """One quoted word is enough where the plain ones have filled the array."""
    with pytest.raises(StackOverwrittenError):
        split_words("w " * 127 + '"w"')

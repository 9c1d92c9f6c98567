"""How Asterisk splits a command line into words.

A double quote switches quoting on or off and a backslash makes the next byte literal, inside quotes
and outside; spaces and tabs separate. Single quotes mean nothing. At most 127 words are kept; the
code path of a word that begins with a quote lacks that check, so that 128 such words overwrite the
stack of the real Asterisk.
"""

MAX_WORDS = 127


class StackOverwrittenError(Exception):
    """The line would have crashed Asterisk: it has more than 127 words that begin with a quote."""


def split_words(line: str) -> list[str]:
    """Split `line` as Asterisk does; raise `StackOverwrittenError` where that would crash it."""
    words: list[str] = []
    quoted = escaped = False
    between = True
    for character in line:
        if character == '"' and not escaped:
            quoted = not quoted
            if quoted and between:
                words.append("")
                between = False
        elif character in " \t" and not quoted and not escaped:
            between = True
        elif character == "\\" and not escaped:
            escaped = True
            continue
        elif not between:
            words[-1] += character
        elif len(words) < MAX_WORDS:
            words.append(character)
            between = False
        escaped = False
    if len(words) > MAX_WORDS:
        raise StackOverwrittenError
    return words

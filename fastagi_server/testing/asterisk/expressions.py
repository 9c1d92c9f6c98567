"""How the dialplan evaluates `${...}`: nesting, functions, `:offset:length`.

Arithmetic, `$[...]`, is not evaluated: the text stays as it is.
"""

from collections.abc import Callable

from fastagi_server.testing.asterisk.text import decode, encode

Read = Callable[[str], str | None]
"""Gives the value of a variable or function, `None` where it is not set."""


def evaluate(expression: str, read: Read) -> str:
    """Replace each `${...}` in `expression`; what is not set becomes nothing.

    A `${` without its brace reaches to the end, as in Asterisk, which warns and goes on.
    """
    result: list[str] = []
    position = 0
    while (start := expression.find("${", position)) >= 0:
        result.append(expression[position:start])
        end = _closing_brace(expression, start + 2)
        inner = expression[start + 2 : end]
        if "${" in inner:
            inner = evaluate(inner, read)
        result.append(_value(inner, read))
        position = end + 1
    result.append(expression[position:])
    return "".join(result)


def names_in(expression: str) -> list[str]:
    """Give every name that `expression` would read, innermost included."""
    names: list[str] = []

    def note(name: str) -> None:
        names.append(name)

    evaluate(expression, note)
    return names


def _closing_brace(text: str, position: int) -> int:
    depth = 1
    while position < len(text):
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return position
        position += 1
    return position


def _value(inner: str, read: Read) -> str:
    name, offset, length = _offset(inner)
    data = encode(read(name) or "")
    start = max(len(data) + offset, 0) if offset < 0 else min(offset, len(data))
    if length is None:
        return decode(data[start:])
    end = len(data) + length if length < 0 else start + length
    return decode(data[start : max(end, start)])


def _offset(inner: str) -> tuple[str, int, int | None]:
    """Split `name:offset:length`; a colon inside parentheses belongs to the function."""
    depth = 0
    for index, character in enumerate(inner):
        depth += (character == "(") - (character == ")")
        if character == ":" and depth == 0:
            offset, _, length = inner[index + 1 :].partition(":")
            return (
                inner[:index],
                _number(offset) or 0,
                _number(length) if _number(offset) is not None else None,
            )
    return inner, 0, None


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None

"""Quoted strings, tokens, and the splitting of header values outside of quotes (RFC 3261, 25.1)."""

import re

from fastagi_server.sip.errors import SipSyntaxError

TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
"""A name or word that needs no quotes."""

UNSPEAKABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
"""What no line of a head may hold: control characters but the tab, and halves of characters."""

_QUOTED = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_STRING = re.compile(_QUOTED)
_ESCAPED = re.compile(r"\\(.)")
_PIECES = {
    separator: re.compile(rf'{_QUOTED}|<[^>]*>|[^"<{separator}]+|{separator}') for separator in ",;"
}


def quote(text: str) -> str:
    """`text` as a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """What a quoted string says; text without quotes says itself.

    Raises `SipSyntaxError` for a quote that is not closed, or closed before the end.
    """
    if not text.startswith('"'):
        return text
    if _STRING.fullmatch(text) is None:
        raise SipSyntaxError("quotes do not match", text)
    return _ESCAPED.sub(r"\1", text[1:-1])


def split(text: str, separator: str) -> list[str]:
    """The parts between the separators (`,` or `;`) outside of quotes and `<>`, trimmed.

    Empty parts are kept. Raises `SipSyntaxError` for quotes or brackets that are not closed.
    """
    parts = [""]
    place = 0
    pattern = _PIECES[separator]
    gathered: list[str] = []
    while place < len(text):
        piece = pattern.match(text, place)
        if piece is None:
            raise SipSyntaxError("quotes or brackets are not closed", text[place:])
        if piece[0] == separator:
            parts[-1] = "".join(gathered).strip(" \t")
            parts.append("")
            gathered = []
        else:
            gathered.append(piece[0])
        place = piece.end()
    parts[-1] = "".join(gathered).strip(" \t")
    return parts

"""Bytes of the wire as text that loses none of them.

Asterisk has no notion of encoding: lengths, offsets and limits count bytes. Text here is UTF-8 with
the bytes that are not UTF-8 kept as lone surrogates, so that every value survives both ways.
"""


def encode(text: str) -> bytes:
    """Give the bytes that `text` stands for."""
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """Give text for any bytes; `encode` takes it back."""
    return data.decode("utf-8", "surrogateescape")


def leading_int(text: str) -> int | None:
    """Read the number that `text` begins with, as C's sscanf does; `None` where there is none."""
    stripped = text.lstrip()
    sign = stripped[:1] if stripped[:1] in ("+", "-") else ""
    digits = ""
    for character in stripped[len(sign) :]:
        if not ("0" <= character <= "9"):
            break
        digits += character
    return int(sign + digits) if digits else None


def says_yes(text: str) -> bool:
    """Tell whether a channel variable switches something on, in Asterisk's words for it."""
    return text.lower() in {"yes", "true", "y", "t", "1", "on"}


def says_no(text: str) -> bool:
    """Tell whether a channel variable switches something off, in Asterisk's words for it."""
    return text.lower() in {"no", "false", "n", "f", "0", "off"}

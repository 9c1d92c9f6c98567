"""The few forms of Markdown that the reference pages are made of."""

import re
from collections.abc import Iterable, Sequence

NOTICE = "<!-- Written by `make docs` from the code. Change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    """A whole page: the title, the notice, and the parts with an empty line between."""
    return "\n\n".join((f"# {title}", NOTICE, *(part.strip("\n") for part in parts if part))) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may hold anything but newlines."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, cells))} |" for cells in lines)


def code(text: object) -> str:
    """Text as code; nothing for nothing."""
    return f"`{text}`" if str(text) else ""


def plain(text: str) -> str:
    """Reflow a docstring's paragraph to one line, for a cell or a paragraph of its own."""
    return re.sub(r"\s*\n\s*", " ", text.strip())


def paragraphs(docstring: str) -> str:
    """A docstring as Markdown: each paragraph on one line."""
    return "\n\n".join(plain(part) for part in docstring.split("\n\n"))


def _cell(text: str) -> str:
    return text.replace("|", r"\|")

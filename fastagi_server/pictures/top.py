"""The live screen: the board anew each second, until q."""

import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from fastagi_server.pictures import tables
from fastagi_server.pictures.asking import AskError, Board
from fastagi_server.pictures.words import plain

REFRESH_SECONDS = 1.0

OTHER_LINES = 15
"""What is above and below the calls when nothing is wrong; the systems come on top of it."""

QUIT = frozenset({"q", "Q", "\x03", "\x04"})


def is_terminal() -> bool:
    """Whether there is a screen to draw on and a keyboard to hear."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def show(ask: Callable[[], Board], console: Console) -> None:
    """Draw until q or Ctrl-C. Raises AskError when the first question fails.

    Later the last board stays, with a line that says how old it is and why.
    """
    board, seen, trouble = ask(), time.monotonic(), ""
    with _keys(), Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(_screen(board, console, time.monotonic() - seen, trouble), refresh=True)
            if _pressed(REFRESH_SECONDS) & QUIT:
                return
            try:
                board, seen, trouble = ask(), time.monotonic(), ""
            except AskError as error:
                trouble = str(error)


def _screen(board: Board, console: Console, age: float, trouble: str) -> RenderableType:
    room = max(console.height - OTHER_LINES - len(board["links"]), 3)
    status = tables.status(board)
    if trouble:
        status = Text(f"■ NO CONNECTION, last seen {age:.0f} s ago\n{plain(trouble)}", tables.BAD)
    foot = Text("q quits", tables.DIM)
    return Group(status, tables.links(board), tables.calls(board, room), foot)


def _pressed(seconds: float) -> set[str]:
    """The keys that were pressed within this time; it returns at the first."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return set(sys.stdin.read(1)) if ready else set()


@contextmanager
def _keys() -> Generator[None]:
    """Hear keys one by one, without showing them; the terminal is as it was afterwards."""
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

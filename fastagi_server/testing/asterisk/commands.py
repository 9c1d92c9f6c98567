"""The table of all 47 AGI commands: who runs them, how many arguments they take, when they may run.

The counts of arguments and the `dead` flags were measured on Asterisk 22.10, one count at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fastagi_server.testing.asterisk import data_commands as data
from fastagi_server.testing.asterisk import media_commands as media
from fastagi_server.testing.asterisk import speech_commands as speech
from fastagi_server.testing.asterisk.turn import Handler

ANY: Final = 1_000
"""More arguments than a line can have."""


@dataclass(frozen=True, slots=True)
class Command:
    """One row: `least` to `most` arguments after the name; `dead` ones run after a hang-up too."""

    name: str
    run: Handler
    least: int
    most: int
    syntax: str = ""
    dead: bool = False

    def takes(self, arguments: Sequence[str]) -> bool:
        """Tell whether the number of arguments is right."""
        return self.least <= len(arguments) <= self.most


TABLE: Final[tuple[Command, ...]] = (
    Command("ANSWER", data.answer, 0, ANY),
    Command("ASYNCAGI BREAK", data.nothing, 0, ANY, dead=True),
    Command("CHANNEL STATUS", data.channel_status, 0, 1, "[channel]"),
    Command("CONTROL STREAM FILE", media.control_stream_file, 2, 7, "file keys [skip] [ff] [rew]"),
    Command("DATABASE DEL", data.database_del, 2, 2, "family key", dead=True),
    Command("DATABASE DELTREE", data.database_deltree, 1, 2, "family [keytree]", dead=True),
    Command("DATABASE GET", data.database_get, 2, 2, "family key", dead=True),
    Command("DATABASE PUT", data.database_put, 3, 3, "family key value", dead=True),
    Command("EXEC", data.execute_application, 1, ANY, "application [options]", dead=True),
    Command("GET DATA", media.get_data, 1, ANY, "file [timeout] [maxdigits]"),
    Command("GET FULL VARIABLE", data.get_full_variable, 1, 2, "expression [channel]", dead=True),
    Command("GET OPTION", media.get_option, 2, 3, "file keys [timeout]"),
    Command("GET VARIABLE", data.get_variable, 1, 1, "name", dead=True),
    Command("GOSUB", data.gosub, 3, 4, "context extension priority [arguments]"),
    Command("HANGUP", data.hang_up, 0, 1, "[channel]"),
    Command("NOOP", data.nothing, 0, ANY, dead=True),
    Command("RECEIVE CHAR", media.receive_char, 1, 1, "timeout"),
    Command("RECEIVE TEXT", media.receive_text, 1, 1, "timeout"),
    Command("RECORD FILE", media.record_file, 4, ANY, "file format keys timeout [offset] [BEEP]"),
    Command("SAY ALPHA", media.say_alpha, 2, 3, "text keys [case]"),
    Command("SAY DATE", media.say_number, 2, 2, "epoch keys"),
    Command("SAY DATETIME", media.say_number, 2, ANY, "epoch keys [format] [zone]"),
    Command("SAY DIGITS", media.say_number, 2, 2, "number keys"),
    Command("SAY NUMBER", media.say_number, 2, 3, "number keys [gender]"),
    Command("SAY PHONETIC", media.say, 2, 2, "text keys"),
    Command("SAY TIME", media.say_number, 2, 2, "epoch keys"),
    Command("SEND IMAGE", data.nothing, 1, 1, "image"),
    Command("SEND TEXT", data.nothing, 1, 1, "text"),
    Command("SET AUTOHANGUP", data.set_auto_hangup, 1, 1, "seconds"),
    Command("SET CALLERID", data.set_caller, 0, ANY),
    Command("SET CONTEXT", data.set_context, 1, 1, "context"),
    Command("SET EXTENSION", data.set_extension, 1, 1, "extension"),
    Command("SET MUSIC", data.nothing, 1, ANY, "on|off [class]"),
    Command("SET PRIORITY", data.set_priority, 1, 1, "priority"),
    Command("SET VARIABLE", data.set_variable, 2, 2, "name value", dead=True),
    Command("SPEECH ACTIVATE GRAMMAR", speech.change, 1, 1, "name"),
    Command("SPEECH CREATE", speech.create, 0, ANY),
    Command("SPEECH DEACTIVATE GRAMMAR", speech.change, 1, 1, "name"),
    Command("SPEECH DESTROY", speech.destroy, 0, ANY, dead=True),
    Command("SPEECH LOAD GRAMMAR", speech.change, 2, 2, "name path"),
    Command("SPEECH RECOGNIZE", speech.recognize, 2, ANY, "prompt timeout [offset]"),
    Command("SPEECH SET", speech.change, 2, 2, "name value"),
    Command("SPEECH UNLOAD GRAMMAR", speech.change, 1, 1, "name", dead=True),
    Command("STREAM FILE", media.stream_file, 2, 3, "file keys [offset]"),
    Command("TDD MODE", data.nothing, 1, 1, "on|off|mate|tdd"),
    Command("VERBOSE", data.verbose, 1, ANY, "message [level]", dead=True),
    Command("WAIT FOR DIGIT", media.wait_for_digit, 1, 1, "timeout"),
)

_BY_WORDS: Final[Mapping[tuple[str, ...], Command]] = {
    tuple(command.name.split()): command for command in TABLE
}
_MOST_WORDS: Final = max(len(words) for words in _BY_WORDS)


def find(words: Sequence[str]) -> tuple[Command, Sequence[str]] | None:
    """Give the command that `words` begin with, in any case of letters, and its arguments."""
    for length in range(1, _MOST_WORDS + 1):
        command = _BY_WORDS.get(tuple(word.upper() for word in words[:length]))
        if command is not None and len(words) >= length:
            return command, words[length:]
    return None

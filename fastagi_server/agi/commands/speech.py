"""SPEECH commands; they need a speech engine in Asterisk."""

from fastagi_server.agi import results
from fastagi_server.agi.command import GRACE_SECONDS, Command, command
from fastagi_server.agi.commands.media import PROMPT_SECONDS


def speech_create(engine: str) -> Command[bool]:
    """Create the channel's speech object; whether the engine gave one."""
    return command("SPEECH CREATE", engine, parse=results.flag)


def speech_set(name: str, value: str) -> Command[bool]:
    """Change a setting of the engine."""
    return command("SPEECH SET", name, value, parse=results.flag)


def speech_load_grammar(grammar: str, path: str) -> Command[bool]:
    """Load a grammar file under a name."""
    return command("SPEECH LOAD GRAMMAR", grammar, path, parse=results.flag)


def speech_unload_grammar(grammar: str) -> Command[bool]:
    """Unload a grammar."""
    return command("SPEECH UNLOAD GRAMMAR", grammar, parse=results.flag)


def speech_activate_grammar(grammar: str) -> Command[bool]:
    """Make a grammar count in the next recognition."""
    return command("SPEECH ACTIVATE GRAMMAR", grammar, parse=results.flag)


def speech_deactivate_grammar(grammar: str) -> Command[bool]:
    """Take a grammar out of the next recognition."""
    return command("SPEECH DEACTIVATE GRAMMAR", grammar, parse=results.flag)


def speech_recognize(
    prompt: str, timeout_seconds: int, offset_samples: int = 0
) -> Command[results.Speech]:
    """Play a prompt and recognise what is said.

    `timeout_seconds` counts from the end of the prompt; 0 waits for ever.
    """
    longest = PROMPT_SECONDS + timeout_seconds + GRACE_SECONDS
    return command(
        "SPEECH RECOGNIZE",
        prompt,
        timeout_seconds,
        *([offset_samples] if offset_samples else []),
        parse=results.speech,
        seconds=longest if timeout_seconds > 0 else None,
    )


def speech_destroy() -> Command[bool]:
    """Free the speech object."""
    return command("SPEECH DESTROY", parse=results.flag)

"""The command line, by click's runner: what is printed, and the exit codes."""

import asyncio
import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastagi_server import __version__
from fastagi_server.cli import main
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.endings import FAILURE
from fastagi_server.fastagi.router import Variables, route
from fastagi_server.outbox.outbox import open_outbox
from fastagi_server.registration.models import Registration
from fastagi_server.settings import Settings
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.serving import serve_routes

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run a command in an empty folder with nothing of ours in the environment."""
    for name in (*Settings.model_fields, "fastagi_config", "credentials_directory"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("FASTAGI_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("FASTAGI_LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("PORT", "0")
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(main, arguments, env=environment, prog_name="fastagi-server")

    return invoke


def test_help(invoke: Invoke) -> None:
    """The help names each command with its one line."""
    result = invoke("--help")
    assert result.exit_code == 0
    assert "FastAGI call server: registers every Asterisk call" in result.output
    for line in (
        "call Act as Asterisk",
        "check Print the settings, secrets masked, and say what is",
        "keys Make, list and revoke keys for the embedded SGE API.",
        "operators Make accounts of operators, for asterisk/* by name and password.",
        "outbox Look at what waits for the SGE API, and at what was given up.",
        "routes List what the dialplan may ask for.",
        "run Run the server in the foreground until SIGTERM or Ctrl-C.",
    ):
        assert line in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "-h"), "Run the server in the foreground"),
        (("check", "-h"), "Print the settings"),
        (("routes", "-h"), "List what the dialplan may ask for"),
        (("call", "-h"), "fastagi-server call 'agi://127.0.0.1/register?dialled=1001'"),
        (("outbox", "-h"), "retry"),
        (("outbox", "list", "-h"), "--pending"),
        (("outbox", "retry", "-h"), "--all"),
        (("outbox", "drop", "-h"), "Delete dead letters"),
        (("outbox", "stats", "-h"), "Count what waits"),
    ],
)
def test_help_of_each_command(invoke: Invoke, arguments: tuple[str, ...], words: str) -> None:
    """Each command explains itself."""
    result = invoke(*arguments)
    assert result.exit_code == 0
    assert words in result.output


def test_version(invoke: Invoke) -> None:
    """The version, for bug reports."""
    assert invoke("--version").output == f"fastagi-server, version {__version__}\n"


def test_unknown_command(invoke: Invoke) -> None:
    """A misspelt command is a usage error."""
    assert invoke("start").exit_code == 2


def test_run_is_the_default(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a command the server runs, with the settings of the environment."""
    ran: list[Settings] = []
    monkeypatch.setattr("fastagi_server.running.run_server", ran.append)
    assert invoke(FASTAGI_WORKERS="3").exit_code == 0
    assert invoke("run", FASTAGI_WORKERS="4").exit_code == 0
    assert [settings.fastagi_workers for settings in ran] == [3, 4]


def test_run_that_cannot_start(invoke: Invoke) -> None:
    """What keeps it from starting is told in words, with exit code 1."""
    result = invoke("run", FASTAGI_LISTEN="0.0.0.0:0")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: FASTAGI_LISTEN: refusing to listen on 0.0.0.0")


@pytest.mark.parametrize("command", ["run", "check", "outbox stats"])
def test_bad_settings(invoke: Invoke, command: str) -> None:
    """A setting that cannot be read is told by its name, one line each, with exit code 2."""
    result = invoke(*command.split(), FASTAGI_WORKERS="many", PORT="-1")
    assert result.exit_code == 2
    assert result.stdout == ""
    first, second = result.stderr.splitlines()
    assert first.startswith("error: FASTAGI_WORKERS: Input should be a valid integer")
    assert second.startswith("error: PORT: Input should be greater than or equal to 0")


def test_check_of_good_settings(invoke: Invoke, tmp_path: Path) -> None:
    """All settings and `ok`; secrets masked."""
    result = invoke("check", SGE_API_KEY="s3cret")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "# settings file: none"
    assert lines[-1] == "# ok"
    assert f"FASTAGI_STATE_DIR={tmp_path}" in lines
    assert "SGE_API_KEY=********" in lines
    assert "s3cret" not in result.output
    assert result.stderr == ""


def test_check_tells_the_file(invoke: Invoke, tmp_path: Path) -> None:
    """Which TOML file was read is said first."""
    path = tmp_path / "c.toml"
    path.write_text('fastagi_system_name = "pbx9"\n')
    result = invoke("check", FASTAGI_CONFIG=str(path))
    assert result.stdout.startswith(f"# settings file: {path}\n")
    assert "FASTAGI_SYSTEM_NAME=pbx9\n" in result.stdout


def test_check_of_bad_settings(invoke: Invoke) -> None:
    """Every fault, and exit code 1."""
    result = invoke("check", FASTAGI_LISTEN="0.0.0.0:0", SGE_API_URL="api.example")
    assert result.exit_code == 1
    assert "# ok" not in result.stdout
    doubt, listen, api = result.stderr.splitlines()
    assert doubt.startswith("warning: SGE_API_URL names a remote API")
    assert listen.startswith("error: FASTAGI_LISTEN: refusing to listen on 0.0.0.0")
    assert api.startswith("error: SGE: the SGE API URL must begin with http")


def test_routes(invoke: Invoke) -> None:
    """Each route with its parameters, optional ones in brackets, and what it does."""
    result = invoke("routes")
    assert result.exit_code == 0
    assert "register [participant=] [type=] [linkedid=] [system=] [dialled=]" in result.output
    assert "\naccept call= uniqueid= [system=]\n    Tell SGE that a call was answered.\n" in (
        result.output
    )
    assert "\nstatus call=\n    Set SGE_CALL_STATUS to SGE's word" in result.output
    assert "\nhealth\n    Set SGE_HEALTH" in result.output


@route("echo")
async def echo(channel: AgiChannel, _services: object, *, word: str = "") -> Variables:
    """Give the word and a variable back."""
    return {"WORD": word, **await channel.get_variables("MINE", "CALLERID(num)")}


@route("fails", on_error=FAILURE)
async def fails(_channel: AgiChannel, _services: object) -> Variables:
    """Fail politely."""
    return {"SGE_STATUS": "FAILED"}


@route("waits")
async def waits(_channel: AgiChannel, _services: object) -> None:
    """Wait for what never comes."""
    await asyncio.Event().wait()


@pytest.fixture
def url() -> Generator[str]:
    """A server on a thread of its own: the command has an event loop itself."""
    started, ports = threading.Event(), list[int]()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with serve_routes([echo, fails, waits]) as server:
            ports.append(server.addresses[0][1])
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(10)
        yield f"agi://127.0.0.1:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def test_call(invoke: Invoke, url: str) -> None:
    """The dialogue and the variables are printed; the exit code is 0."""
    result = invoke("call", f"{url}/echo", "hello", "--var", "MINE=a=b", "--var", "CALLERID(num)=7")
    assert result.exit_code == 0, result.output
    assert "-> agi_arg_1: hello" in result.output
    assert '<- SET VARIABLE "WORD" "hello"' in result.output
    assert result.output.endswith("WORD=hello\nMINE=a=b\nCALLERID(num)=7\nSGE_STATUS=OK\n")


def test_call_that_fails(invoke: Invoke, url: str) -> None:
    """AGISTATUS=FAILURE is exit code 1."""
    result = invoke("call", f"{url}/fails")
    assert result.exit_code == 1
    assert "AGISTATUS=FAILURE" in result.output


def test_call_that_hangs_up(invoke: Invoke, url: str) -> None:
    """A hang-up after a while is no failure."""
    result = invoke("call", f"{url}/waits", "--hangup-after", "0.05")
    assert result.exit_code == 0
    assert "AGISTATUS=HANGUP" in result.output
    assert "SGE_ERROR_CODE=hangup" in result.output


def test_call_on_a_dead_channel(invoke: Invoke, url: str) -> None:
    """`--dead` is a hang-up handler."""
    result = invoke("call", f"{url}/echo?word=x", "--dead")
    assert result.exit_code == 0
    assert "WORD=x" in result.output


def test_call_past_its_time(invoke: Invoke, url: str) -> None:
    """A server that does not end the session is exit code 2."""
    result = invoke("call", f"{url}/waits", "--timeout", "0.05")
    assert result.exit_code == 2
    assert "did not end the session in 0.05 s" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("http://127.0.0.1/",), "not a FastAGI URL"),
        (("agi://127.0.0.1?x=1",), "a slash is missing before the query"),
        (("agi://127.0.0.1/x", "--var", "NAME"), "--var takes NAME=VALUE, not 'NAME'"),
        (("agi://127.0.0.1/x", "--var", "=VALUE"), "--var takes NAME=VALUE, not '=VALUE'"),
        ((), "Missing argument 'URL'"),
    ],
)
def test_call_misused(invoke: Invoke, arguments: tuple[str, ...], words: str) -> None:
    """What Asterisk could not do is a usage error."""
    result = invoke("call", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def fill(folder: Path, *, dead: Sequence[str] = (), pending: Sequence[str] = ()) -> None:
    """Put registrations with these unique ids into the outbox of a state folder."""

    async def work() -> None:
        async with open_outbox(folder / "outbox.sqlite3", measures=Measures()) as outbox:
            for unique_id in dead:
                await outbox.append(registration(unique_id))
                (entry,) = (await outbox.backlog(1)).due
                await outbox.died(entry, "request_refused")
            for unique_id in pending:
                await outbox.append(registration(unique_id))

    asyncio.run(work())


def registration(unique_id: str) -> Registration:
    """A registration of no importance."""
    return Registration("pbx", unique_id, "PJSIP/1", "", "", "", "", "", ("SIP/1",), "audio")


def test_outbox_that_is_not_there(invoke: Invoke, tmp_path: Path) -> None:
    """Looking does not make one."""
    result = invoke("outbox", "stats")
    assert result.exit_code == 1
    assert result.stderr == f"Error: there is no outbox at {tmp_path / 'outbox.sqlite3'}\n"
    assert list(tmp_path.iterdir()) == []


def test_outbox_that_is_damaged(invoke: Invoke, tmp_path: Path) -> None:
    """A file that is none is told in words."""
    (tmp_path / "outbox.sqlite3").write_bytes(b"no database at all, whatever its name" * 10)
    result = invoke("outbox", "list")
    assert result.exit_code == 1
    assert "file is not a database" in result.stderr


def test_outbox_list(invoke: Invoke, tmp_path: Path) -> None:
    """Dead letters by default, what waits on request."""
    fill(tmp_path, dead=["17.1"], pending=["17.2", "17.3"])
    dead = invoke("outbox", "list").output
    assert "register   agi-pbx-17.1  attempts=" in dead
    assert "request_refused" in dead
    assert "17.2" not in dead
    pending = invoke("outbox", "list", "--pending").output
    assert ["agi-pbx-17.2" in pending, "agi-pbx-17.3" in pending] == [True, True]
    assert len(invoke("outbox", "list", "--pending", "--limit", "1").output.splitlines()) == 1


def test_outbox_list_of_nothing(invoke: Invoke, tmp_path: Path) -> None:
    """Nothing is said in words, too."""
    fill(tmp_path)
    assert invoke("outbox", "list").output == "no dead letters\n"
    assert invoke("outbox", "list", "--pending").output == "nothing waits\n"


def test_outbox_stats(invoke: Invoke, tmp_path: Path) -> None:
    """Three figures."""
    fill(tmp_path, dead=["17.1"], pending=["17.2", "17.3"])
    pending, dead, oldest = invoke("outbox", "stats").output.splitlines()
    assert (pending, dead) == ("pending 2", "dead 1")
    assert oldest.startswith("oldest ")


def test_outbox_retry(invoke: Invoke, tmp_path: Path) -> None:
    """Dead letters wait again: one by its number, then all."""
    fill(tmp_path, dead=["17.1", "17.2", "17.3"])
    number = invoke("outbox", "list").output.split()[0]
    assert invoke("outbox", "retry", number).output == "1 dead letter: retry\n"
    assert invoke("outbox", "retry", "--all").output == "2 dead letters: retry\n"
    assert invoke("outbox", "stats").output.startswith("pending 3\ndead 0\n")


def test_outbox_drop(invoke: Invoke, tmp_path: Path) -> None:
    """Dead letters are deleted: one by its number, then all; what waits stays."""
    fill(tmp_path, dead=["17.1", "17.2"], pending=["17.3"])
    number = invoke("outbox", "list").output.split()[0]
    assert invoke("outbox", "drop", number, "999").output == "1 dead letter: drop\n"
    assert invoke("outbox", "drop", "--all").output == "1 dead letter: drop\n"
    assert invoke("outbox", "stats").output.startswith("pending 1\ndead 0\n")


@pytest.mark.parametrize("verb", ["retry", "drop"])
@pytest.mark.parametrize("arguments", [(), ("1", "--all"), ("one",)])
def test_outbox_verbs_misused(invoke: Invoke, verb: str, arguments: tuple[str, ...]) -> None:
    """Which letters are meant has to be said, one way."""
    assert invoke("outbox", verb, *arguments).exit_code == 2

"""Many variables in one round trip, whatever they hold."""

import pytest
from agi_stage import of, play

from fastagi_server.agi.errors import AgiGuardError
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.testing.fake_asterisk import Answer, FakeAsterisk, Faults

AWKWARD = {
    "EMPTY": "",
    "NEWLINES": "one\ntwo\n\n200 result=1 (three)\nHANGUP\n",
    "BYTES": "\udcff\udc80 caf\udcc3",
    "UNICODE": "é \U0001f4de",
    "QUOTES": "\"'\\ ) ( ] [ } { $ , | ; =",
    "LONG": "x" * 100_000,
}


async def test_get_many() -> None:
    """Forty variables, functions among them, come by one command."""
    names = [f"V{n}" for n in range(38)]
    seen: dict[str, str] = {}

    async def work(channel: AgiChannel) -> None:
        seen.update(await channel.get_variables(*names, "CHANNEL(linkedid)", "UNSET"))

    asterisk = FakeAsterisk("r", linked_id="17.1", variables={n: n.lower() for n in names})
    await play(asterisk, of(work))
    assert seen == {**{n: n.lower() for n in names}, "CHANNEL(linkedid)": "17.1", "UNSET": ""}
    assert len([c for c in asterisk.commands if c.startswith("GET")]) == 1


async def test_get_any_characters() -> None:
    """Newlines, lines that look like replies, bytes of no encoding, and any length survive."""
    seen: dict[str, str] = {}

    async def work(channel: AgiChannel) -> None:
        seen.update(await channel.get_variables(*AWKWARD))

    await play(FakeAsterisk("r", variables=AWKWARD), of(work))
    assert seen == AWKWARD


@pytest.mark.parametrize("name", ["SHELL(id)", "a b", "${X}", "X)} ${SHELL(id)", "1X", ""])
async def test_get_what_must_not_be_asked(name: str) -> None:
    """A name that is none, or that would run a program on the PBX, is refused unsent."""

    async def work(channel: AgiChannel) -> None:
        with pytest.raises(AgiGuardError):
            await channel.get_variables("X", name)

    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work))
    assert asterisk.variables["SGE_STATUS"] == "OK"
    assert [c for c in asterisk.commands if c.startswith("GET")] == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"200 result=1 (Lg==)\n", "2 values asked for, 1 answered"),
        (b"200 result=1 (Lg==|Lg==|Lg==)\n", "2 values asked for, 3 answered"),
        (b"200 result=1 (Lg==|!!!!)\n", "a value that is not base64"),
        (b"200 result=1 (Lg==|\xff\xff)\n", "a value that is not base64"),
    ],
)
async def test_get_false_answers(answer: bytes, reason: str) -> None:
    """An answer that does not fit the question ends the session as the peer's fault."""

    async def work(channel: AgiChannel) -> None:
        await channel.get_variables("A", "B")

    asterisk = FakeAsterisk("r", faults=Faults(answers={"GET FULL": Answer(answer)}))
    aftermath = await play(asterisk, of(work))
    assert asterisk.status == "FAILURE"
    assert asterisk.variables["SGE_ERROR_CODE"] == "protocol_error"
    assert [line["reason"] for line in aftermath.warnings] == [reason]
    assert aftermath.measures.agi_protocol_errors.values == {("reply",): 1.0}


async def test_set_several() -> None:
    """Several variables go out as one MSet."""

    async def work(channel: AgiChannel) -> None:
        await channel.set_variables({"A": "1,2", "B": '"(x)"', "__C": "${EXTEN}"})

    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work))
    assert asterisk.commands[0].startswith('EXEC "MSet"')
    assert (asterisk.variables["A"], asterisk.variables["B"]) == ("1,2", '"(x)"')
    assert asterisk.variables["C"] == "${EXTEN}"


async def test_set_none_and_one() -> None:
    """Nothing costs no round trip, and one variable needs no MSet."""

    async def work(channel: AgiChannel) -> None:
        await channel.set_variables({})
        await channel.set_variables({"A": "1"})

    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work))
    assert asterisk.commands[0] == 'SET VARIABLE "A" "1"'


async def test_set_150() -> None:
    """More than one MSet takes are set all the same."""
    many = {f"V{n}": f"value {n}" for n in range(150)}

    async def work(channel: AgiChannel) -> None:
        await channel.set_variables(many)

    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work))
    assert {name: asterisk.variables[name] for name in many} == many


async def test_set_dollar_with_execfull() -> None:
    """Even where Asterisk expands options, a value is what it was."""

    async def work(channel: AgiChannel) -> None:
        await channel.set_variables({"A": "${EXTEN}", "B": "$[1 + 1]"})

    asterisk = FakeAsterisk("r", variables={"AGIEXECFULL": "yes"})
    await play(asterisk, of(work))
    assert (asterisk.variables["A"], asterisk.variables["B"]) == ("${EXTEN}", "$[1 + 1]")


async def test_set_long_values() -> None:
    """Values that are too long for one line together are set one by one."""
    long = {f"V{n}": "x" * 3_000 for n in range(5)}

    async def work(channel: AgiChannel) -> None:
        await channel.set_variables(long)

    asterisk = FakeAsterisk("r")
    await play(asterisk, of(work))
    assert {name: asterisk.variables[name] for name in long} == long

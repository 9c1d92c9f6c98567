"""Whatever the SGE API does: what the dialplan sees, what the log says, what the outbox keeps."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from service_stage import ServiceStage, open_stage

from fastagi_server.testing.fake_asterisk import FakeAsterisk
from fastagi_server.testing.proxy import TcpProxy
from fastagi_server.testing.sge import Behaviour

KEY = "agi-pbx-17.4"

QUEUED = {
    Behaviour.ERROR: "api_error",
    Behaviour.BAD_GATEWAY: "api_error",
    Behaviour.UNAVAILABLE: "api_error",
    Behaviour.TOO_MANY: "api_overloaded",
    Behaviour.UNAUTHORIZED: "api_unauthorized",
    Behaviour.HTML: "api_bad_answer",
    Behaviour.REDIRECT: "api_redirected",
    Behaviour.TRUNCATED: "api_bad_answer",
    Behaviour.CUT: "api_bad_answer",
    Behaviour.HUGE: "api_bad_answer",
    Behaviour.CLOSE: "api_unreachable",
    Behaviour.LOSE_ANSWER: "api_unreachable",
}
REFUSED = {Behaviour.FORBIDDEN: "forbidden", Behaviour.INVALID: "request_refused"}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[ServiceStage]:
    """The service, with a fake SGE API that it speaks to."""
    async with open_stage(tmp_path) as stage:
        yield stage


async def next_call_is_unharmed(stage: ServiceStage) -> None:
    """SGE is well again: the next call is registered as ever."""
    stage.sge.behaviour = Behaviour.OBEY
    asterisk = FakeAsterisk("register", unique_id="18.1")
    await stage.run(asterisk)
    assert asterisk.variables["SGE_STATUS"] == "REGISTERED"


@pytest.mark.parametrize("behaviour", QUEUED)
async def test_api_that_cannot_take_it(stage: ServiceStage, behaviour: Behaviour) -> None:
    """QUEUED with a provisional id and the reason as code; one warning; one entry in the outbox."""
    stage.sge.behaviour = behaviour
    asterisk = FakeAsterisk("register", unique_id="17.4")
    await stage.run(asterisk)
    assert asterisk.status == "SUCCESS"
    assert asterisk.variables.pop("SGE_CALL_ID").startswith("queued-")
    assert asterisk.variables == {
        "SGE_STATUS": "QUEUED",
        "SGE_ERROR": "",
        "SGE_ERROR_CODE": QUEUED[behaviour],
        "SGE_CHANNEL_ID": "17.4",
    }
    lines = [line for line in stage.logs if line["event"] == "statement_queued"]
    assert [(line["key"], line["code"]) for line in lines] == [(KEY, QUEUED[behaviour])]
    assert await stage.waiting() == [("register", KEY)]
    await next_call_is_unharmed(stage)


@pytest.mark.parametrize("behaviour", REFUSED)
async def test_api_that_says_no(stage: ServiceStage, behaviour: Behaviour) -> None:
    """REFUSED with a fixed text and a code; one warning; nothing to be delivered later."""
    stage.sge.behaviour = behaviour
    asterisk = FakeAsterisk("register", unique_id="17.4")
    await stage.run(asterisk)
    assert asterisk.variables == {
        "SGE_STATUS": "REFUSED",
        "SGE_ERROR": "Call refused",
        "SGE_ERROR_CODE": REFUSED[behaviour],
        "SGE_CALL_ID": "",
        "SGE_CHANNEL_ID": "",
    }
    lines = [line for line in stage.logs if line["event"] == "statement_refused"]
    assert [(line["key"], line["code"]) for line in lines] == [(KEY, REFUSED[behaviour])]
    assert await stage.waiting() == []
    await next_call_is_unharmed(stage)


async def test_answer_without_metadata(stage: ServiceStage) -> None:
    """A 201 that names no channel: the channel's id is the unique id, as the contract has it."""
    stage.sge.behaviour = Behaviour.NO_METADATA
    asterisk = FakeAsterisk("register", unique_id="17.4")
    await stage.run(asterisk)
    assert asterisk.variables["SGE_STATUS"] == "REGISTERED"
    assert asterisk.variables["SGE_CHANNEL_ID"] == "17.4"
    assert await stage.waiting() == []
    await next_call_is_unharmed(stage)


async def test_api_that_hangs(tmp_path: Path) -> None:
    """The caller waits no longer than the deadline."""
    async with open_stage(tmp_path, sge_deadline_seconds=0.1) as stage:
        stage.sge.behaviour = Behaviour.HANG
        asterisk = FakeAsterisk("register", unique_id="17.4")
        await stage.run(asterisk)
        assert asterisk.variables["SGE_STATUS"] == "QUEUED"
        assert asterisk.variables["SGE_ERROR_CODE"] == "api_timeout"
        assert await stage.waiting() == [("register", KEY)]


async def test_api_that_is_slow(stage: ServiceStage) -> None:
    """An answer within the deadline is an answer."""
    stage.sge.behaviour, stage.sge.delay = Behaviour.SLOW, 0.1
    asterisk = FakeAsterisk("register")
    await stage.run(asterisk)
    assert asterisk.variables["SGE_STATUS"] == "REGISTERED"


async def test_api_that_is_not_there(tmp_path: Path) -> None:
    """A port where nobody listens: queued, and at some time the API is left alone."""
    async with TcpProxy("127.0.0.1", 9) as nobody:
        await nobody.refuse()
        url = f"http://127.0.0.1:{nobody.port}/api/v1/voip"
        async with open_stage(tmp_path, sge_api_url=url) as stage:
            codes: list[str] = []
            for number in range(30):
                asterisk = FakeAsterisk("register", unique_id=f"17.{number}")
                await stage.run(asterisk)
                assert asterisk.variables["SGE_STATUS"] == "QUEUED"
                codes.append(asterisk.variables["SGE_ERROR_CODE"])
            assert codes[0] == "api_unreachable"
            assert codes[-1] == "api_breaker_open"
            assert len(await stage.waiting()) == 30


async def test_outbox_that_is_full(tmp_path: Path) -> None:
    """Neither SGE nor the outbox can take it: FAILED, and the log is loud about it."""
    async with open_stage(tmp_path, fastagi_outbox_max_entries=1) as stage:
        stage.sge.behaviour = Behaviour.UNAVAILABLE
        await stage.run(FakeAsterisk("register", unique_id="17.4"))
        asterisk = FakeAsterisk("register", unique_id="17.5")
        await stage.run(asterisk)
        assert asterisk.status == "SUCCESS"
        assert asterisk.variables == {
            "SGE_STATUS": "FAILED",
            "SGE_ERROR": "API call failed",
            "SGE_ERROR_CODE": "outbox_full",
            "SGE_CALL_ID": "",
            "SGE_CHANNEL_ID": "",
        }
        (line,) = [line for line in stage.logs if line["log_level"] == "critical"]
        assert line["key"] == "agi-pbx-17.5"
        assert await stage.waiting() == [("register", KEY)]


async def test_network_that_breaks_during_the_answer(tmp_path: Path) -> None:
    """Wherever the answer is cut, the call goes on and is registered once in the end."""
    async with open_stage(tmp_path) as origin, TcpProxy("127.0.0.1", origin.sge.port) as proxy:
        url = f"http://127.0.0.1:{proxy.port}/api/v1/voip"
        async with open_stage(tmp_path / "second", sge_api_url=url) as stage:
            for size in (1, 20, 100, 300):
                proxy.cut_after(size, "to client")
                asterisk = FakeAsterisk("register", unique_id=f"17.{size}")
                await stage.run(asterisk)
                assert asterisk.variables["SGE_STATUS"] in {"REGISTERED", "QUEUED"}
            async with stage.relaying():
                await stage.emptied()
        ids = [call["metadata"]["asterisk_call_id"] for call in origin.sge.calls.values()]
        assert sorted(ids) == ["17.1", "17.100", "17.20", "17.300"]


@pytest.mark.parametrize("text", ["Ren\udcc3", "\u202e\x07 'quoted\" \\", "x" * 5_000])
async def test_callers_with_odd_names(stage: ServiceStage, text: str) -> None:
    """Bytes of no encoding, control characters and long names register like any other."""
    asterisk = FakeAsterisk("register", caller_name=text, caller_number=text)
    await stage.run(asterisk)
    assert asterisk.variables["SGE_STATUS"] == "REGISTERED"

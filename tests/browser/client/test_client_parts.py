"""Parts of the client library by themselves, as modules in a real browser."""

import re
from typing import Any

import pytest
from client_stage import Stage

from fastagi_server import web

TYPES = (web.FOLDER / "client" / "sge-voip.d.ts").read_text(encoding="utf-8")

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIGURES = {
    "rttMs": 40,
    "jitterMs": 5,
    "codec": "opus",
    "level": 0.2,
    "packetsReceived": 1000,
    "packetsLost": 0,
    "packetsSent": 1000,
    "farPacketsLost": 0,
    "bytesReceived": 9,
    "bytesSent": 9,
}


async def judged(stage: Stage, **later: float) -> dict[str, Any]:
    """The quality between the figures above and these."""
    page = (await stage.open()).page
    return dict(
        await page.evaluate(
            """async ([before, after]) => {
                const { judge } = await import("/client/quality.js");
                return judge(after, before);
            }""",
            [FIGURES, {**FIGURES, "packetsReceived": 1100, "packetsSent": 1100, **later}],
        )
    )


async def test_a_good_call(stage: Stage) -> None:
    """Without loss and with little delay a call is good."""
    quality = await judged(stage)
    assert (quality["word"], quality["score"], quality["lossPercent"]) == ("good", 4.39, 0)
    assert "packetsLost" not in quality


async def test_loss_is_the_worse_of_both_ways(stage: Stage) -> None:
    """What the far end lost counts as much as what we lost."""
    quality = await judged(stage, packetsLost=5, farPacketsLost=12)
    assert (quality["lossPercent"], quality["word"]) == (12, "fair")


async def test_a_bad_call(stage: Stage) -> None:
    """Much delay and loss make a poor call, and never a score below 1."""
    quality = await judged(stage, rttMs=1500, jitterMs=200, packetsLost=100)
    assert (quality["word"], quality["score"]) == ("poor", 1)


async def test_nothing_is_known_at_first(stage: Stage) -> None:
    """The first sample has no loss, and so no judgement."""
    page = (await stage.open()).page
    quality = await page.evaluate(
        """async (figures) => {
            const { judge } = await import("/client/quality.js");
            return judge(figures, null);
        }""",
        FIGURES,
    )
    assert (quality["score"], quality["word"], quality["lossPercent"]) == (None, "unknown", None)


async def test_candidates_that_asterisk_can_use(stage: Stage) -> None:
    """Asterisk takes UDP with an address; no TCP, no name that only multicast DNS knows."""
    page = (await stage.open()).page
    usable = await page.evaluate(
        """async () => {
            const { isUsable } = await import("/client/peer.js");
            return [
                "candidate:1 1 udp 2122260223 198.18.0.1 50000 typ host",
                "a=candidate:1 1 UDP 2122260223 2001:db8::1 50000 typ relay raddr ::1 rport 9",
                "candidate:1 1 udp 2122260223 5f0c8a52.local 50000 typ host",
                "candidate:1 1 tcp 1518280447 198.18.0.1 9 typ host tcptype active",
                "a=mid:0",
            ].map(isUsable);
        }"""
    )
    assert usable == [True, True, False, False, False]


async def test_a_mailbox_is_in_order_and_without_repeats(stage: Stage) -> None:
    """Messages pushed while the mailbox is asked wait for the answer, and none comes twice."""
    page = (await stage.open()).page
    result = await page.evaluate(
        """async () => {
            const { Mailbox } = await import("/client/mailbox.js");
            const got = [];
            const asked = [];
            let answer;
            const rest = { request: (method, path) => {
                asked.push(path);
                return new Promise((resolve) => { answer = resolve; });
            } };
            const numbered = (n) => ({ sequence_number: n });
            const box = new Mailbox(rest, "a/b", ({ sequence_number: n }) => got.push(n));
            box.push(numbered(3));
            box.follow("push");
            box.push(numbered(7));
            box.push(numbered(6));
            answer([numbered(3), numbered(5), numbered(6)]);
            await new Promise((resolve) => setTimeout(resolve));
            box.push(numbered(6));
            box.push(numbered(8));
            box.close();
            box.push(numbered(9));
            return [got, asked, box.seen];
        }"""
    )
    assert result == [[3, 5, 6, 7, 8], ["calls/a%2Fb/signaling?after=3"], 9]


@pytest.mark.parametrize(
    ("audio", "video", "devices", "code"),
    [
        ("true", "true", "audioinput", "camera_missing"),
        ("true", "true", "videoinput", "microphone_missing"),
        ("false", "true", "audioinput", "camera_missing"),
    ],
)
async def test_which_device_is_missing(
    stage: Stage, audio: str, video: str, devices: str, code: str
) -> None:
    """A browser says only that something is missing; the devices that are there tell what."""
    page = (await stage.open()).page
    said = await page.evaluate(
        f"""async () => {{
            const {{ capture }} = await import("/client/capture.js");
            const mediaDevices = {{
                getUserMedia: () => Promise.reject(new DOMException("", "NotFoundError")),
                enumerateDevices: async () => [{{ kind: "{devices}" }}],
            }};
            return capture({{ mediaDevices }}, {{ audio: {audio}, video: {video} }})
                .catch(({{ code }}) => code);
        }}"""
    )
    assert said == code


async def test_pauses_grow_to_a_limit(stage: Stage) -> None:
    """Each pause is between half and all of what it may be, up to the longest."""
    page = (await stage.open()).page
    pauses = await page.evaluate(
        """async () => {
            const { Backoff } = await import("/client/waiting.js");
            const backoff = new Backoff(100, 400);
            const pauses = [1, 2, 3, 4].map(() => backoff.next());
            backoff.reset();
            return [...pauses, backoff.next()];
        }"""
    )
    limits = [100, 200, 400, 400, 100]
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, limits, strict=True))


def members(name: str) -> list[str]:
    """What an interface or class of the types has."""
    (body,) = re.findall(rf"(?ms)^export (?:interface|class) {name}<[^\n]*{{\n(.*?)^}}", TYPES)
    found = re.findall(r"(?m)^  (?:readonly )?(\w+)(?:<[^\n]*)?[(:]", body)
    return [each for each in dict.fromkeys(found) if each != "constructor"]


async def test_the_types_tell_the_truth(stage: Stage) -> None:
    """Every member that the types name is there, on a client and on a call."""
    alice = await stage.sign_in()
    await alice.call()
    missing = await alice.run(
        """([ofClient, ofCall]) => [
            ...ofClient.filter((name) => !(name in client)),
            ...ofCall.filter((name) => !(name in call)),
        ]""",
        [members("AsteriskVoIPClient"), members("Call")],
    )
    assert missing == []
    assert len(members("Call")) > 30
    assert members("Rooms") == ["create", "list", "get", "join", "leave", "close"]


async def test_no_module_is_dead() -> None:
    """Every module beside the entry is imported by another, and none makes code of texts."""
    folder = web.FOLDER / "client"
    modules = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.js")}
    imported = {"sge-voip.js"}
    for text in modules.values():
        imported |= set(re.findall(r'from "\./([\w-]+\.js)"', text))
    assert imported == set(modules)
    assert [name for name, text in modules.items() if "innerHTML" in text or "eval(" in text] == []

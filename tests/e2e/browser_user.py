"""A user of the API with a page open, without a browser: signals, and hears what is signalled."""

import json
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import httpx
from gateway_caller import OFFER
from websockets.sync.client import connect

from lab.service import Service
from tests.unit.identities.token_samples import ALICE, SECRET, token

WAIT_SECONDS = 15.0

# As a browser says it: with the name of the medium, and no other codec before the first offered.
ANSWER = (
    OFFER.replace("a=setup:actpass", "a=setup:active")
    .replace("a=group:BUNDLE 0", "a=group:BUNDLE audio-0")
    .replace("a=mid:0", "a=mid:audio-0")
    .replace("SAVPF 111 0 126", "SAVPF 0 101")
    .replace("a=rtpmap:111 opus/48000/2\r\n", "")
    .replace("a=rtpmap:126", "a=rtpmap:101")
)

SETTINGS = {"SGE_JWT_SECRET": SECRET.decode(), "SGE_RATE_LIMIT_PER_MINUTE": "0"}
"""What a service needs that takes the tokens of these users."""


class BrowserUser:
    """One user. Every wait ends after 15 s."""

    def __init__(self, service: Service, name: str) -> None:
        self.service = service
        self.name = name
        self._token = token({**ALICE, "sub": name}).decode()
        headers = {"Authorization": f"Bearer {self._token}"}
        client = httpx.Client(base_url=service.api, headers=headers, timeout=2 * WAIT_SECONDS)
        self._stack = ExitStack()
        self._http = self._stack.enter_context(client)
        self._cursors: dict[str, int] = {}

    def __enter__(self) -> Self:
        address = self.service.api.removesuffix("/api/v1/voip").replace("http", "ws", 1)
        opened = connect(f"{address}/ws/auth?token={self._token}", close_timeout=1)
        self._socket = self._stack.enter_context(opened)
        self._socket.recv(WAIT_SECONDS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def leave(self) -> None:
        """Close the page."""
        self._socket.close()

    def create(self, *participants: str, **metadata: str) -> str:
        """Create a call that begins with an offer of ours, and return its id."""
        body = {
            "participants": participants,
            "call_type": "audio",
            "metadata": {"caller_leg": "webrtc", **metadata},
        }
        answer = self._http.post("/calls", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def call(self, *participants: str) -> str:
        """Call somebody and return the call's id."""
        call_id = self.create(*participants)
        self.offer(call_id)
        return call_id

    def offer(self, call_id: str) -> None:
        """Offer audio to Asterisk."""
        self.signal(call_id, "offer", self.description("offer"))

    def answer(self, call_id: str) -> None:
        """Take what Asterisk offers."""
        self.signal(call_id, "answer", self.description("answer"))

    @staticmethod
    def description(kind: str) -> dict[str, str]:
        """An offer of audio, or an answer to Asterisk's first one."""
        return {"type": kind, "sdp": OFFER if kind == "offer" else ANSWER}

    def signal(self, call_id: str, kind: str, payload: Any = None, status: int = 200) -> Any:
        """Send a message to Asterisk and return what the API says to it."""
        told: Any = payload or {}
        body = {"to_user": "asterisk", "message_type": kind, "payload": told}
        answer = self._http.post(f"/calls/{call_id}/signaling", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def hear(self, call_id: str, kind: str) -> dict[str, Any]:
        """Return the payload of the next message of a kind, and pass over those before it."""
        seen: list[str] = []
        while True:
            after = self._cursors.get(call_id, 0)
            query = {"after": after, "wait": WAIT_SECONDS}
            messages = self._http.get(f"/calls/{call_id}/signaling", params=query).json()
            assert messages, f"{self.name} heard no {kind}, only {seen}"
            for message in messages:
                self._cursors[call_id] = message["sequence_number"]
                seen.append(message["message_type"])
                if message["message_type"] == kind:
                    payload: dict[str, Any] = message["payload"]
                    return payload

    def rung(self) -> tuple[str, dict[str, Any]]:
        """Wait until a call rings in the page; the call's id and the offer."""
        while True:
            frame = json.loads(self._socket.recv(WAIT_SECONDS))
            if frame["type"] == "Signaling" and frame["message_type"] == "offer":
                self._cursors[frame["call_id"]] = frame["sequence_number"]
                return frame["call_id"], frame["payload"]

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the API and return its JSON."""
        answer = self._http.request(method, path, json=body)
        assert answer.status_code < 400, answer.text
        return answer.json()

"""Watch the record of the call that is being placed, through the service's API."""

import json
import time
from collections.abc import Callable
from typing import Any

from lab.demo.story import Exchange, Moment
from lab.errors import LabError
from lab.processes import POLL_SECONDS
from lab.service import Service

WATCH_SECONDS = 20.0

SETTINGS = {"FASTAGI_LOG_LEVEL": "debug", "FASTAGI_LOG_PERSONAL_DATA": "show"}
"""What lets the service say in its log what it asks SGE, numbers and names included."""


class CallLostError(LabError):
    """The call did not become what it should have become in time."""


class Watch:
    """The record of the first call since the watch began, and the statuses it went through."""

    def __init__(self, service: Service) -> None:
        self.life: list[Moment] = []
        self.record: dict[str, Any] = {}
        self._service = service
        self._began = time.monotonic()

    def until(self, status: str) -> dict[str, Any]:
        """Return the record once it has a status; raises CallLostError when it does not get it."""
        self._look_until(lambda: self.record.get("status") == status, status)
        return self.record

    def exchanges(self, count: int) -> list[Exchange]:
        """Return what the service and SGE said to each other, once they did so `count` times."""
        self._service.wait_for_log("sge_answer", count)
        lines = [line for line in self._service.log() if line["event"] == "sge_answer"]
        return [
            Exchange.from_log(line, json.loads(line["question"]), json.loads(line["answer"]))
            for line in lines
        ]

    def _look_until(self, is_over: Callable[[], bool], status: str) -> None:
        deadline = time.monotonic() + WATCH_SECONDS
        while not is_over():
            was = self.record.get("status", "never registered")
            if time.monotonic() > deadline or was == "ended":
                raise CallLostError(
                    f"the call was not {status} in {WATCH_SECONDS:.0f} s, but {was}"
                )
            self._look()
            time.sleep(POLL_SECONDS)

    def _look(self) -> None:
        if self.record:
            self.record = self._service.call(self.record["id"])
        elif active := self._service.calls():
            self.record = active[0]
        status = self.record.get("status")
        if status and (not self.life or self.life[-1].status != status):
            self.life.append(Moment((time.monotonic() - self._began) * 1000, status))

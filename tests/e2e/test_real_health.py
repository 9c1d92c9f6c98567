"""Health with a real Asterisk: links that are up, and a manager's secret that is wrong."""

from collections.abc import Iterator
from typing import Any

import pytest

from lab.asterisk import Asterisk
from lab.errors import CommandError
from lab.loopback import ask
from lab.processes import wait_until
from lab.root import Root
from lab.service import Service, ami_settings, ari_settings

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def pbx(lab_root: Root) -> Iterator[Asterisk]:
    """Run an Asterisk of this module's own."""
    with Asterisk.start(root=lab_root) as running:
        yield running


class Operator:
    """Somebody who may see what a service depends on."""

    def __init__(self, service: Service) -> None:
        created = service.command("keys", "create", "wallboard", "--scope", "operator")
        self._key = created.split()[-1]
        self._port = int(service.api.rpartition(":")[2].partition("/")[0])

    def health(self) -> dict[str, Any]:
        """All that there is to see."""
        path = "/api/v1/voip/health"
        seen: dict[str, Any] = ask(self._port, "GET", path, {"X-API-Key": self._key})
        return seen

    def until(self, word: str) -> None:
        """Wait until the service is `word`."""
        assert wait_until(lambda: self.health()["status"] == word, 10)

    def states(self) -> dict[str, tuple[str, str | None]]:
        """State and last error of each dependency."""
        found = self.health()["dependencies"]
        return {each["name"]: (each["state"], each["last_error"]) for each in found}


def test_links_are_up(pbx: Asterisk) -> None:
    """With both links up the service is ready, and nothing is wrong."""
    with Service.start({**ari_settings(pbx), **ami_settings(pbx)}) as service:
        operator = Operator(service)
        operator.until("ok")
        assert {name: state for name, (state, _) in operator.states().items()} == {
            "store": "up",
            "events": "up",
            "outbox": "up",
            "sge_api": "up",
            "log": "up",
            "disk": "up",
            "ari": "up",
            "ami": "up",
        }
        ready = service.request("GET", "/health/ready")
        assert ready["status"] == "ok"
        assert set(ready) == {"status", "version"}


def test_wrong_secret_of_the_manager(pbx: Asterisk) -> None:
    """It is unready and says so to operators; calls are registered all the same."""
    wrong = {**ami_settings(pbx), "ASTERISK_AMI_SECRET": "not-the-secret"}
    with Service.start({**ari_settings(pbx), **wrong}) as service:
        service.wait_for_log("link_state", link="ami", state="authentication refused")
        with pytest.raises(CommandError, match="not_ready"):
            service.request("GET", "/health/ready")
        state, error = Operator(service).states()["ami"]
        assert state == "down"
        assert error == (
            "link to Asterisk's manager interface: authentication refused: Authentication failed"
        )
        health = service.command("call", f"{service.agi}/health")
        assert "SGE_HEALTH=down" in health
        assert "SGE_STATUS=REGISTERED" in health
        assert "SGE_STATUS=REGISTERED" in service.command("call", f"{service.agi}/register")


def test_asterisk_that_goes_away(lab_root: Root) -> None:
    """Ready as long as it is there; what was wrong is remembered."""
    with (
        Asterisk.start(root=lab_root) as asterisk,
        Service.start(ari_settings(asterisk)) as service,
    ):
        operator = Operator(service)
        operator.until("ok")
        asterisk.stop()
        operator.until("down")
        state, error = operator.states()["ari"]
        assert state == "down"
        assert error is not None
        assert error.startswith("link to Asterisk's REST interface: ")
        assert service.request("GET", "/health/live")["status"] == "ok"

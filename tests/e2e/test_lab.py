"""The lab itself: a real Asterisk that loads what we ship, and phones that call."""

import socket
from pathlib import Path

import pytest

from lab.asterisk import Asterisk, end_orphans
from lab.errors import CommandError, LabError, StartError
from lab.phones import Phone
from lab.processes import ProcessId
from lab.records import Record, records
from lab.root import Root

pytestmark = pytest.mark.asterisk


def test_shipped_configuration_loads_without_a_warning(asterisk: Asterisk) -> None:
    """Every file of dialplan/ loads without a notice, warning or error."""
    loading = asterisk.log().partition("Asterisk Ready.")[0]
    assert "Setting global variable 'SGE_AGI'" in loading
    assert " WARNING[" not in loading
    assert " ERROR[" not in loading


def test_endpoints_of_the_samples_exist(asterisk: Asterisk) -> None:
    """PJSIP knows the three users and the trunk, each in its own context."""
    endpoints = {
        name: asterisk.cli(f"pjsip show endpoint {name}")
        for name in ("1001", "1002", "1003", "sky-genesis-trunk")
    }
    contexts = {
        name: next(line.split()[-1] for line in text.splitlines() if line.startswith(" context "))
        for name, text in endpoints.items()
    }
    assert contexts == {
        "1001": "sky-genesis-voip",
        "1002": "sky-genesis-voip",
        "1003": "sky-genesis-voip",
        "sky-genesis-trunk": "from-trunk",
    }


def test_everything_listens_on_loopback_only(asterisk: Asterisk) -> None:
    """SIP, AMI and ARI are bound to 127.0.0.1 on the instance's own ports."""
    ports = asterisk.ports
    transports = asterisk.cli("pjsip show transports")
    assert f"127.0.0.1:{ports.sip}" in transports
    assert "0.0.0.0" not in transports
    assert f"127.0.0.1:{ports.http}" in asterisk.cli("http show status")
    with socket.create_connection(("127.0.0.1", ports.ami), 5) as manager:
        assert manager.recv(64).startswith(b"Asterisk Call Manager/")


def test_ari_and_manager_take_the_sample_users(asterisk: Asterisk) -> None:
    """The users of ari.conf and manager.conf can log in with the passwords they were given."""
    assert asterisk.control.request("GET", "asterisk/ping")["ping"] == "pong"
    with socket.create_connection(("127.0.0.1", asterisk.ports.ami), 5) as manager:
        secret = asterisk.passwords["ami"]
        login = f"Action: Login\r\nUsername: sky-genesis\r\nSecret: {secret}\r\n\r\n"
        manager.sendall(login.encode())
        received = b""
        while b"Message: " not in received:
            received += manager.recv(4096)
    assert b"Authentication accepted" in received


def test_two_phones_talk(asterisk: Asterisk) -> None:
    """1002 calls 1001 with digest authentication; audio goes both ways."""
    asterisk.set_global("SGE_AGI", "agi://127.0.0.1:1")
    before = len(asterisk.log())
    with (
        Phone.answering(asterisk, "1001") as callee,
        Phone.calling(asterisk, "1002", "1001") as caller,
    ):
        asterisk.wait_for_log(r"PJSIP/1002-\w+ joined 'simple_bridge'", after=before)
        caller_channel = next(
            channel["id"]
            for channel in asterisk.control.channels()
            if channel["name"].startswith("PJSIP/1002")
        )
        heard = asterisk.wait_for_media(caller_channel)
        asterisk.control.hang_up(caller_channel)
        assert caller.wait(), caller.explain()
        assert callee.wait(), callee.explain()
    assert heard
    assert caller.statuses() == [401, 100, 180, 200]


def test_a_wrong_password_is_refused(asterisk: Asterisk) -> None:
    """A phone with another password cannot register, and the lab says so."""
    asterisk.passwords["1002"], right = "wrong", asterisk.passwords["1002"]
    try:
        with pytest.raises(StartError, match="1002 could not register"):
            Phone.busy(asterisk, "1002")
    finally:
        asterisk.passwords["1002"] = right


def test_instances_run_side_by_side(asterisk: Asterisk, lab_root: Root) -> None:
    """A second instance has ports and files of its own and leaves the first alone."""
    with Asterisk.start(root=lab_root) as second:
        assert second.ports.first != asterisk.ports.first
        assert second.cli("core show uptime").startswith("System uptime")
        assert set(records(lab_root.instances)) >= {asterisk.name, second.name}
    assert not second.folder.exists()
    assert not second.process.is_alive
    assert asterisk.process.is_alive


def test_the_next_start_ends_what_a_killed_owner_left(lab_root: Root) -> None:
    """An instance whose owner is gone is stopped and its files removed."""
    orphan = Asterisk.start(root=lab_root)
    record = records(lab_root.instances)[orphan.name]
    gone = ProcessId(number=record.asterisk.number, started=1)
    Record(record.asterisk, gone, record.first_port, record.passwords).write(orphan.folder)
    end_orphans(lab_root)
    assert not orphan.process.is_alive
    assert not orphan.folder.exists()
    orphan.stop()


def test_a_dialplan_with_a_mistake_does_not_start(lab_root: Root) -> None:
    """A warning while loading is an error of the lab that quotes the warning."""
    mistake = "\n[broken]\nexten => 1,1,NoOp()\nexten => 1,1,NoOp()\n"
    with pytest.raises(StartError, match="already in use"):
        Asterisk.start("mistaken", extensions=mistake, root=lab_root)
    assert not (lab_root.instances / "mistaken").exists()


def test_a_global_that_no_sample_sets_is_refused(lab_root: Root) -> None:
    """Replacing a global that extensions.conf does not have is an error, not silence."""
    with pytest.raises(LabError, match="no global called SGE_AGY"):
        Asterisk.start("mistaken", variables={"SGE_AGY": "agi://127.0.0.1"}, root=lab_root)
    assert not (lab_root.instances / "mistaken").exists()


def test_a_name_is_taken_once(asterisk: Asterisk, lab_root: Root) -> None:
    """A second instance of the same name is refused, and an unknown name cannot be attached to."""
    with pytest.raises(CommandError, match="runs already"):
        Asterisk.start(asterisk.name, root=lab_root)
    with pytest.raises(CommandError, match="no instance called"):
        Asterisk.attach("nobody", lab_root)
    assert Asterisk.attach(asterisk.name, lab_root).ports == asterisk.ports


def test_a_root_without_asterisk_says_so(tmp_path: Path) -> None:
    """A root that is not built says in words what to do."""
    assert Root(tmp_path).why_not() == f"there is no Asterisk in {tmp_path}: run make lab"

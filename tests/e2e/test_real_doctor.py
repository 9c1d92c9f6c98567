"""The doctor on a real Asterisk: faults in its REST interface, its dialplan and its media."""

import json
from collections.abc import Iterator

import pytest
from doctor_stage import AGI_PORT, bad, done, edited, findings, settings_for, told

from lab.asterisk import Asterisk
from lab.root import Root
from lab.service import Service, ami_settings, ari_settings

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def patient(lab_root: Root) -> Iterator[Asterisk]:
    """Run an Asterisk that nobody leads, and that tests put out of order and in order again."""
    with Asterisk.start(root=lab_root) as running:
        yield running


def test_all_is_well(lab_root: Root) -> None:
    """A service and its Asterisk as they are shipped: nothing to be said, exit code 0."""
    with Asterisk.start(root=lab_root) as asterisk:
        settings = {**ari_settings(asterisk), **ami_settings(asterisk)}
        with Service.start(settings) as service:
            asterisk.set_global("SGE_AGI", service.agi)
            for link in ("ari", "ami"):
                service.wait_for_log("link_state", link=link, state="up")
            report = json.loads(service.command("doctor", "--json", "--skip", "snmp"))
    assert report["level"] == "ok"
    seen = {
        (finding["group"], finding["subject"]): finding["why"] for finding in report["findings"]
    }
    assert {level["level"] for level in report["findings"]} == {"ok"}
    names = "sky-genesis-voip, sky-genesis-conference, sky-genesis-outbound are served"
    assert seen["ari", "applications"] == names
    assert seen["dialplan", "contexts"] == "sge-register, sge-answered, sge-ended are loaded"
    assert seen["ami", "classes"] == "read has system,call,security,user"
    assert seen["sge", "SGE API"] == "embedded, ok"
    assert seen["store", "outbox"] == "0 wait"
    assert {group for group, _ in seen} == {
        "configuration",
        "network",
        "sge",
        "store",
        "ari",
        "ami",
        "dialplan",
        "media",
        "certificates",
        "clocks",
        "host",
    }


def test_wrong_ari_password(patient: Asterisk) -> None:
    """The user is named, the password that was tried is not."""
    settings = settings_for(patient, asterisk_ari_password="not-the-password")
    found = findings(settings, "ari")
    assert told(found, "ARI") == [("fail", "401: the name sky-genesis or its password is wrong")]
    assert "not-the-password" not in repr(found)


def test_ari_that_is_away(patient: Asterisk) -> None:
    """Nobody listens where the settings say."""
    settings = settings_for(patient, asterisk_ari_url="http://127.0.0.1:1")
    ((level, why),) = told(findings(settings, "ari"), "ARI")
    assert level == "fail"
    assert why.startswith("127.0.0.1 does not answer: ")


def test_ari_that_is_off(patient: Asterisk) -> None:
    """A path of the HTTP server where ARI is not."""
    url = f"http://127.0.0.1:{patient.ports.http}/elsewhere"
    ((level, why),) = told(findings(settings_for(patient, asterisk_ari_url=url), "ari"), "ARI")
    assert level == "fail"
    assert why.startswith("404: ARI is off")


def test_application_that_nobody_serves(patient: Asterisk) -> None:
    """No service is linked to this Asterisk, and the applications are named."""
    found = findings(settings_for(patient, asterisk_ari_app="node-7"), "ari")
    names = "node-7, sky-genesis-conference, sky-genesis-outbound"
    assert bad(found) == [
        ("fail", "applications", f"nobody serves {names}: the service is not linked")
    ]


def test_no_event_socket(patient: Asterisk) -> None:
    """The module that serves events is not loaded."""
    with done(patient, "module unload res_ari_events.so", "module load res_ari_events.so"):
        ((level, why),) = told(findings(settings_for(patient), "ari"), "event socket")
    assert (level, why.partition(":")[0]) == ("fail", "answers 404")


def test_slow_writes_to_the_event_socket(patient: Asterisk) -> None:
    """Asterisk's default of 100 ms is too short."""
    with edited(patient, "ari.conf", "websocket_write_timeout = 5000", ""):
        found = findings(settings_for(patient), "ari")
    assert told(found, "ari.conf") == [
        ("warn", "websocket_write_timeout is 100 ms: a short pause ends the event socket")
    ]


def test_tls_in_the_wrong_file(patient: Asterisk) -> None:
    """TLS options in ari.conf are named, with the file that they belong to."""
    misplaced = "enabled = yes\ntlsenable = yes\ntlscertfile = /x\n"
    with edited(patient, "ari.conf", "enabled = yes\n", misplaced):
        found = findings(settings_for(patient), "ari")
    assert told(found, "ari.conf") == [
        ("fail", "tlsenable, tlscertfile belong in http.conf; in ari.conf they disable ARI")
    ]


def test_user_that_may_only_read(patient: Asterisk) -> None:
    """A user without writes could lead no call."""
    with edited(patient, "ari.conf", "read_only = no", "read_only = yes"):
        found = findings(settings_for(patient), "ari")
    assert told(found, "ari.conf")[0] == (
        "fail",
        "read_only = yes of the user: it can lead no call",
    )


def test_context_that_is_missing(patient: Asterisk) -> None:
    """A subroutine that is not loaded is named; so is a context that only the settings know."""
    with done(patient, "dialplan remove context sge-ended", "dialplan reload"):
        settings = settings_for(patient, sge_supervised_contexts="from-trunk,from-nowhere")
        found = findings(settings, "dialplan")
    named = "named by SGE_SUPERVISED_CONTEXTS or SGE_OUTBOUND_CONTEXTS"
    assert told(found, "contexts") == [
        ("fail", "sge-ended are not loaded"),
        ("warn", f"not loaded: from-nowhere: {named}"),
    ]


def test_agi_lines_to_another_port(patient: Asterisk) -> None:
    """The dialplan asks where we do not listen."""
    with done(
        patient,
        "dialplan set global SGE_AGI agi://127.0.0.1:9",
        f"dialplan set global SGE_AGI agi://127.0.0.1:{AGI_PORT}",
    ):
        found = findings(settings_for(patient), "dialplan")
    assert told(found, "AGI lines") == [
        ("fail", "agi://127.0.0.1:9 is asked, and we listen on 127.0.0.1:4573")
    ]


def test_agi_lines_to_another_host(patient: Asterisk) -> None:
    """It may be us by another address: worth a look."""
    with done(
        patient,
        "dialplan set global SGE_AGI agi://192.0.2.1",
        f"dialplan set global SGE_AGI agi://127.0.0.1:{AGI_PORT}",
    ):
        ((level, why),) = told(findings(settings_for(patient), "dialplan"), "AGI lines")
    assert level == "warn"
    assert why.startswith("agi://192.0.2.1 is asked; is that this machine?")


def test_secret_of_the_challenge(patient: Asterisk) -> None:
    """A dialplan that does not know the secret is told, and the secret is not."""
    found = findings(settings_for(patient, fastagi_secret="open-sesame"), "dialplan")
    assert told(found, "AGI secret") == [
        ("fail", "the global SGE_AGI_SECRET is not FASTAGI_SECRET: every call is refused")
    ]
    assert "open-sesame" not in repr(found)


def test_stasis_that_nobody_takes(patient: Asterisk) -> None:
    """Calls are handed to applications of another name, or to nobody at all."""
    with done(patient, "dialplan set global SGE_STASIS yes", "dialplan set global SGE_STASIS no"):
        none = findings(settings_for(patient, asterisk_ari_url=""), "dialplan")
        other = findings(settings_for(patient, asterisk_ari_app="node-7"), "dialplan")
        same = findings(settings_for(patient), "dialplan")
    assert told(none, "Stasis")[0][0] == "fail"
    foreign = "sky-genesis-voip: no application of this service has that name"
    assert told(other, "Stasis") == [("warn", foreign)]
    assert told(same, "Stasis") == [("ok", "calls are handed to this service")]


def test_codec_that_is_missing(patient: Asterisk) -> None:
    """The endpoints that want it are named."""
    with done(patient, "module unload codec_g722.so", "module load codec_g722.so"):
        found = findings(settings_for(patient), "media")
    users = "1001, 1002, 1003, 1004"
    missing = "codec_g722 is not loaded: no call between it and another codec"
    assert bad(found) == [
        (
            "fail",
            "codec g722",
            f"allowed by {users}, but {missing}",
        )
    ]


def test_opus_for_browsers(patient: Asterisk) -> None:
    """Opus is allowed, and Asterisk has none: its codec is no part of every Asterisk."""
    codec = "codec_opus_open_source.so"
    with done(patient, f"module unload {codec}", f"module load {codec}"):
        found = findings(settings_for(patient), "media")
    ((level, why),) = told(found, "codec opus")
    assert level == "fail"
    missing = "codec_opus or codec_opus_open_source is not loaded"
    assert why.startswith(f"allowed by sge-gateway, but {missing}")


@pytest.mark.parametrize(
    ("last", "level", "words"),
    [(20_099, "warn", "are enough for 25 calls"), (19_000, "fail", "there are none")],
)
def test_few_rtp_ports(patient: Asterisk, last: int, level: str, words: str) -> None:
    """A range that is too small for the calls of an office, or that is none."""
    first = 20_000
    given = patient.ports.rtp
    with edited(
        patient,
        "rtp.conf",
        f"rtpstart = {given[0]}\nrtpend = {given[1]}",
        f"rtpstart = {first}\nrtpend = {last}",
    ):
        found = told(findings(settings_for(patient), "media"), "RTP ports")
    assert found[0][0] == level
    assert found[0][1].endswith(words)

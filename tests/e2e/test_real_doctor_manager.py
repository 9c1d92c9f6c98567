"""The doctor on a real Asterisk's manager interface: its user, classes, TLS and clock."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from doctor_stage import bad, edited, findings, settings_for, told, until
from test_real_ari_tls import certify

from lab.asterisk import Asterisk
from lab.root import Root

pytestmark = pytest.mark.asterisk

READ = "read = system,call,security,user"
WRITE = "write = system,reporting"
RELOAD = "manager reload"

REFUSED = (
    "sky-genesis is refused (Authentication failed): name, secret, or the address is not permitted"
)

HTTPS = """bindport = {http}
tlsenable = yes
tlsbindaddr = 127.0.0.1:{port}
tlscertfile = {folder}/crt.pem
tlsprivatekey = {folder}/key.pem"""


@pytest.fixture(scope="module")
def patient(lab_root: Root) -> Iterator[Asterisk]:
    """Run an Asterisk whose manager user tests put out of order and in order again."""
    with Asterisk.start(root=lab_root) as running:
        yield running


def test_well(patient: Asterisk) -> None:
    """The shipped user has what is needed, and no more."""
    assert bad(findings(settings_for(patient), "ami")) == []


def test_not_configured(patient: Asterisk) -> None:
    """Without supervision the doctor sees less, and says so once."""
    settings = settings_for(patient, asterisk_ami_host="")
    ((level, subject, why),) = bad(findings(settings, "ami"))
    assert (level, subject, why.partition(":")[0]) == ("warn", "AMI", "not configured")
    assert findings(settings, "dialplan") == []
    assert findings(settings, "media") == []


def test_wrong_secret(patient: Asterisk) -> None:
    """The user is named and Asterisk's words are told, the secret is not."""
    found = findings(settings_for(patient, asterisk_ami_secret="not-the-secret"), "ami")
    assert told(found, "AMI") == [
        (
            "fail",
            REFUSED,
        )
    ]
    assert "not-the-secret" not in repr(found)
    (dialplan,) = findings(settings_for(patient, asterisk_ami_secret="not-the-secret"), "dialplan")
    assert (dialplan.level.word, dialplan.subject) == ("warn", "dialplan")


def test_nobody_listens(patient: Asterisk) -> None:
    """The manager interface is off."""
    ((level, why),) = told(findings(settings_for(patient, asterisk_ami_port=1), "ami"), "AMI")
    assert level == "fail"
    assert why.startswith("no connection to 127.0.0.1:1: ")


def test_another_program_listens(patient: Asterisk) -> None:
    """The HTTP server's port: nobody greets there, and the secret is not told to it."""
    settings = settings_for(patient, asterisk_ami_port=patient.ports.http)
    assert told(findings(settings, "ami"), "AMI") == [
        ("fail", "nobody greets as a manager interface does")
    ]


def test_classes_of_events_that_are_missing(patient: Asterisk) -> None:
    """Each class is named."""
    with edited(patient, "manager.conf", READ, "read = system,user", RELOAD):
        found = findings(settings_for(patient), "ami")
    assert bad(found) == [("fail", "classes", "read lacks call, security")]


def test_no_class_system(patient: Asterisk) -> None:
    """Without it nobody says that Asterisk is complete."""
    with edited(patient, "manager.conf", READ, "read = call,security,user", RELOAD):
        found = findings(settings_for(patient), "ami")
    why = "FullyBooted does not come: Asterisk still starts, or read lacks system"
    assert told(found, "events") == [("fail", why)]
    assert told(found, "classes") == [("fail", "read lacks system")]


def test_actions_that_are_not_allowed(patient: Asterisk) -> None:
    """A user that may write nothing cannot list channels."""
    with edited(patient, "manager.conf", WRITE, "write = user", RELOAD):
        found = findings(settings_for(patient), "ami")
        dialplan = findings(settings_for(patient), "dialplan")
        media = findings(settings_for(patient), "media")
    actions = "CoreStatus, CoreSettings, CoreShowChannels"
    assert told(found, "actions") == [("fail", f"may not {actions}: write lacks reporting")]
    assert told(found, "classes") == [("warn", "cannot be seen: write lacks system")]
    assert [finding.level.word for finding in (*dialplan, *media)] == ["warn", "warn"]


def test_a_user_that_can_only_look(patient: Asterisk) -> None:
    """Class reporting is enough for supervision, not for contacts of phones."""
    with edited(patient, "manager.conf", WRITE, "write = reporting", RELOAD):
        found = findings(settings_for(patient), "ami")
    why = "may not PJSIPShowContacts, GetConfig: write lacks system"
    assert told(found, "actions") == [("warn", why)]


def test_a_user_that_may_too_much(patient: Asterisk) -> None:
    """With its secret anybody could run programs on the PBX."""
    with edited(patient, "manager.conf", WRITE, f"{WRITE},command,originate", RELOAD):
        found = findings(settings_for(patient), "ami")
    why = "write has command, originate: system,reporting is enough"
    assert bad(found) == [("warn", "classes", why)]


def test_slow_writes(patient: Asterisk) -> None:
    """Asterisk's default of 100 ms is too short."""
    with edited(patient, "manager.conf", "writetimeout = 5000", "", RELOAD):
        found = findings(settings_for(patient), "ami")
    why = "writetimeout is 100 ms: a short pause costs us the connection"
    assert bad(found) == [("warn", "classes", why)]


def test_clock(patient: Asterisk) -> None:
    """Both interfaces tell Asterisk's time, which is ours."""
    for settings in (settings_for(patient), settings_for(patient, asterisk_ami_host="")):
        found = findings(settings, "clocks")
        assert told(found, "Asterisk") == [("ok", "its clock is ours, to within 3 s")]


@pytest.mark.parametrize(("days", "level"), [("-1", "fail"), ("5", "warn"), ("300", "ok")])
def test_certificate_for_browsers(patient: Asterisk, lab_root: Root, days: str, level: str) -> None:
    """What Asterisk shows browsers is looked at, by the address that http.conf gives."""
    etc = patient.folder / "etc"
    certify(etc)
    _sign_again(etc, days)
    port = patient.ports.phone(18).last
    lines = HTTPS.format(http=patient.ports.http, port=port, folder=lab_root.inside(etc))
    old = f"bindport = {patient.ports.http}"
    with edited(patient, "http.conf", old, lines, "module reload http"):
        until(lambda: f"127.0.0.1:{port}" in patient.cli("http show status"))
        found = findings(settings_for(patient), "certificates")
    assert [(f.level.word, f.subject) for f in found] == [(level, f"http.conf 127.0.0.1:{port}")]


def _sign_again(folder: Path, days: str) -> None:
    """Give the certificate in this folder another end."""
    subprocess.run(
        [
            *("openssl", "x509", "-in", str(folder / "crt.pem"), "-days", days),
            *("-signkey", str(folder / "key.pem"), "-out", str(folder / "crt.pem")),
        ],
        check=True,
        capture_output=True,
    )

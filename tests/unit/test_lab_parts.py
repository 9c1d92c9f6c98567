"""The parts of the lab that need no Asterisk: ports, processes, records, configuration, install."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lab import __main__ as terminal
from lab import processes, root
from lab.configuration import DIALPLAN, Configuration
from lab.errors import CommandError, InstallError, LabError, StartError
from lab.ports import PhonePorts, Ports, is_free, take_slot
from lab.processes import ProcessId
from lab.records import Record, records
from lab.root import PROOFS, Root, cache_folder

NEVER_ENDING = (
    "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('ready', flush=True)\n"
)


def make_complete(folder: Path) -> Root:
    """Make a root folder that looks complete."""
    for proof in PROOFS:
        file = folder / proof
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return Root(folder)


def start_python(code: str, tmp_path: Path) -> "subprocess.Popen[bytes]":
    """Start a Python program the way the lab starts all programs."""
    return processes.start([sys.executable, "-c", code], tmp_path / "output")


# -- ports


def test_slots_do_not_overlap(tmp_path: Path) -> None:
    """Two takers at the same time get different blocks of ports; a block given back is free."""
    first = take_slot(tmp_path)
    second = take_slot(tmp_path)
    assert abs(first.ports.first - second.ports.first) >= 1000
    first.close()
    third = take_slot(tmp_path)
    assert third.ports == first.ports
    second.close()
    third.close()


def test_all_slots_taken_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no block is left the error says what to do."""
    monkeypatch.setattr("lab.ports.SLOTS", 0)
    with pytest.raises(StartError, match="python3 -m lab stop"):
        take_slot(tmp_path)


def test_a_port_in_use_is_not_free() -> None:
    """A bound port counts as taken, for TCP and for UDP."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("127.0.0.1", 0))
            if kind is socket.SOCK_STREAM:
                taken.listen()
            port = taken.getsockname()[1]
            assert not is_free(kind, port)
        assert is_free(kind, port)


def test_ports_of_phones_stay_in_their_place() -> None:
    """Twenty phones fit between the ports of Asterisk and its media."""
    ports = Ports(20_000)
    assert (ports.sip, ports.ami, ports.http) == (20_000, 20_001, 20_002)
    assert ports.gateway == 20_003
    assert ports.rtp == (20_500, 20_999)
    assert ports.phone(0) == PhonePorts(20_010)
    assert ports.phone(19).beside.last < ports.rtp[0]
    phone = ports.phone(1)
    assert (phone.sip, phone.control, phone.media, phone.last) == (20_030, 20_031, 20_032, 20_045)
    assert phone.beside.sip == 20_046


# -- processes


def test_a_process_is_known_by_number_and_start(tmp_path: Path) -> None:
    """An identity holds for one process only, and not once it has ended."""
    process = start_python("input()", tmp_path)
    process.wait(10)
    assert ProcessId.of(process.pid) is None
    mine = ProcessId.of(os.getpid())
    assert mine is not None
    assert mine.is_alive
    assert not ProcessId(mine.number, mine.started + 1).is_alive


def test_a_process_that_will_not_end_is_killed(tmp_path: Path) -> None:
    """After the deadline the whole group is killed."""
    process = start_python(f"{NEVER_ENDING}time.sleep(60)", tmp_path)
    output = tmp_path / "output"
    assert processes.wait_until(lambda: output.read_text() == "ready\n", 10)
    processes.identify(process).end(0.1)
    assert process.wait(10) == -signal.SIGKILL


def test_a_process_is_asked_first(tmp_path: Path) -> None:
    """A process that ends when asked is not killed, and may be ended twice."""
    process = start_python("import time; print('ready', flush=True); time.sleep(60)", tmp_path)
    output = tmp_path / "output"
    assert processes.wait_until(lambda: output.read_text() == "ready\n", 10)
    identity = processes.identify(process)
    identity.end(10)
    assert process.wait(10) == -signal.SIGTERM
    identity.end(10)


def test_a_program_that_ends_at_once_did_not_start(tmp_path: Path) -> None:
    """A program that has ended cannot be identified; the error has its exit code."""
    process = start_python("raise SystemExit(3)", tmp_path)
    process.wait(10)
    with pytest.raises(StartError, match="exit code 3"):
        processes.identify(process)


def test_a_process_that_is_ending_by_itself(tmp_path: Path) -> None:
    """Whoever ends a program hears how it ended, also one that nobody has waited for yet."""
    process = start_python("raise SystemExit(3)", tmp_path)
    assert processes.wait_until(lambda: ProcessId.of(process.pid) is None, 10)
    assert processes.end(process, 10) == 3
    assert processes.end(process, 10) == 3


def test_waiting_ends_at_the_deadline() -> None:
    """A condition that never holds is given up."""
    assert not processes.wait_until(lambda: False, 0.05)
    assert processes.wait_until(lambda: True, 0)


# -- records


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    """What was written is read back, by root alone, under the folder's name."""
    record = Record(ProcessId(1, 2), None, 20_000, {"ari": "secret"})
    folder = tmp_path / "one"
    folder.mkdir()
    record.write(folder)
    assert records(tmp_path) == {"one": record}
    assert (folder / "instance.json").stat().st_mode & 0o077 == 0


def test_a_record_cut_short_is_none(tmp_path: Path) -> None:
    """A folder without a whole record is no instance; a missing folder has none."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "instance.json").write_text('{"asterisk"')
    assert records(tmp_path) == {}
    assert records(tmp_path / "missing") == {}


def test_orphans(tmp_path: Path) -> None:
    """An instance is an orphan when its owner is gone, unless it never had one."""
    mine = ProcessId.of(os.getpid())
    assert mine is not None
    assert not Record(mine, mine, 0, {}).is_orphan
    assert not Record(mine, None, 0, {}).is_orphan
    assert Record(mine, ProcessId(mine.number, 1), 0, {}).is_orphan


# -- configuration


def test_the_samples_are_fitted(tmp_path: Path) -> None:
    """Ports, addresses, passwords and globals are replaced and nothing of the sample is left."""
    configuration = Configuration(
        Ports(21_000), {"SGE_AGI": "agi://127.0.0.1:9"}, extensions="[mine]\n"
    )
    configuration.write(tmp_path, "/srv/lab/one")
    texts = {file.name: file.read_text() for file in (tmp_path / "etc").iterdir()}
    assert "bindport = 21002\n" in texts["http.conf"]
    assert "port = 21001\n" in texts["manager.conf"]
    assert "rtpstart = 21500\nrtpend = 21999\n" in texts["rtp.conf"]
    assert "198.18.0.1 => 127.0.0.1\n" in texts["rtp.conf"]
    assert texts["pjsip.conf"].count("bind = 127.0.0.1:21000\n") == 2
    assert "contact = sip:gateway@127.0.0.1:21003\\;transport=tcp\n" in texts["pjsip.conf"]
    assert "match = 127.0.0.2\n" in texts["pjsip.conf"]
    assert "\nSGE_AGI = agi://127.0.0.1:9\n" in texts["extensions.conf"]
    assert texts["extensions.conf"].endswith("[mine]\n")
    assert "astetcdir => /srv/lab/one/etc\n" in texts["asterisk.conf"]
    whole = "\n".join(texts.values()).replace("every change-me", "")
    assert "change-me" not in whole
    assert "192.0.2." not in whole
    assert "@INSTANCE@" not in whole


def test_a_sample_that_changed_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that the lab must replace and cannot find is an error, not a wrong port."""
    for file in DIALPLAN.glob("*.conf"):
        (tmp_path / file.name).write_text(file.read_text().replace("bindport = 8088", ""))
    monkeypatch.setattr("lab.configuration.DIALPLAN", tmp_path)
    with pytest.raises(LabError, match=r"http.conf has the line 'bindport = 8088' 0 times"):
        Configuration(Ports(21_000)).write(tmp_path / "instance", "/srv/lab/one")


# -- install


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """FASTAGI_LAB_DIR comes before XDG_CACHE_HOME, that before the home folder."""
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.delenv("FASTAGI_LAB_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path("/somewhere/.cache/fastagi-lab")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_folder() == Path("/caches/fastagi-lab")
    monkeypatch.setenv("FASTAGI_LAB_DIR", "/chosen")
    assert cache_folder() == Path("/chosen")


def test_a_complete_root_is_left_alone(tmp_path: Path) -> None:
    """Installing twice builds once."""
    said: list[str] = []
    root.install(make_complete(tmp_path / "root"), said.append)
    assert said == [f"Asterisk is installed in {tmp_path / 'root'}"]
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


def test_without_root_there_is_no_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user is told why it cannot be installed and why it cannot run."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(InstallError, match="needs root"):
        root.install(Root(tmp_path / "root"))
    assert "needs root" in str(make_complete(tmp_path / "root").why_not())


def test_on_another_system_there_is_no_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Debian is installed upon."""
    release = tmp_path / "os-release"
    release.write_text('ID=fedora\nID_LIKE="debian"\n')
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(root, "OS_RELEASE", release)
    with pytest.raises(InstallError, match="Debian only"):
        root.install(Root(tmp_path / "root"))


def test_a_failed_step_is_explained(tmp_path: Path) -> None:
    """The error of a build step ends with what the program said."""
    log = tmp_path / "install.log"
    command = [sys.executable, "-c", "print('no such suite'); raise SystemExit(1)"]
    with pytest.raises(CommandError, match="no such suite"):
        root.run_step(command, log)
    with pytest.raises(CommandError, match="No such file"):
        root.run_step(["/nowhere/debootstrap"], log)


def test_half_a_root_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier build left is removed, the new one is whole before it gets its name."""
    place = tmp_path / "root"
    (place / "usr/bin").mkdir(parents=True)
    (place / "usr/bin/leftover").touch()
    steps: list[str] = []

    def pretend(command: list[str], _log: Path) -> None:
        steps.append(command[0])
        if command[0] == "debootstrap":
            (tmp_path / "root.partial/usr/sbin").mkdir(parents=True)
        if command[0] == "chroot":
            assert not place.exists()
            make_complete(tmp_path / "root.partial")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(root, "run_step", pretend)
    monkeypatch.setattr(root, "archive_address", lambda: "http://127.0.0.1/debian")
    monkeypatch.setattr("shutil.which", str)
    root.install(Root(place), lambda _text: None)
    assert steps == ["debootstrap", "chroot"]
    assert Root(place).is_complete
    assert not (place / "usr/bin/leftover").exists()
    assert (place / "usr/sbin/policy-rc.d").read_text() == "#!/bin/sh\nexit 101\n"


def test_no_archive_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An apt without sources has no address to build from; a security archive is none."""
    fake = tmp_path / "apt-get"
    fake.write_text("#!/bin/sh\necho bookworm-security http://127.0.0.1/security\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(InstallError, match="no Debian archive"):
        root.archive_address()
    fake.write_text("#!/bin/sh\necho bookworm http://127.0.0.1/debian/\n")
    assert root.archive_address() == "http://127.0.0.1/debian/"


# -- terminal


def test_errors_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that fails exits 1 with the reason in words and no traceback."""
    monkeypatch.setenv("FASTAGI_LAB_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["lab", "stop"])
    assert terminal.main() == 1
    assert capsys.readouterr().err == "lab: no instance called default is running\n"


def test_status_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without an installation `status` says how to get one."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("FASTAGI_LAB_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["lab", "status"])
    assert terminal.main() == 0
    expected = f"there is no Asterisk in {tmp_path}/asterisk-root: run make lab\n"
    assert capsys.readouterr().out == expected

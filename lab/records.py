"""What is on record of each running instance, for those who come later.

The record lies beside the instance's files: it lets `python3 -m lab stop` find what another
process started, and lets the next start end what a killed test run left behind.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.processes import ProcessId

FILE_NAME = "instance.json"


@dataclass(frozen=True)
class Record:
    """One instance: its process, who answers for it, and how to reach it.

    `owner` is the process that will stop it, or None when it is to outlive who started it.
    """

    asterisk: ProcessId
    owner: ProcessId | None
    first_port: int
    passwords: dict[str, str]

    @property
    def is_orphan(self) -> bool:
        """Say whether the owner ended without stopping it."""
        return self.owner is not None and not self.owner.is_alive

    def write(self, folder: Path) -> None:
        """Put the record into an instance's folder, readable by root alone."""
        file = folder / FILE_NAME
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "Record | None":
        """Return the record in an instance's folder, or None when there is no whole one."""
        try:
            fields = json.loads((folder / FILE_NAME).read_text())
        except (OSError, ValueError):
            return None
        owner = fields["owner"]
        return cls(
            asterisk=ProcessId(**fields["asterisk"]),
            owner=None if owner is None else ProcessId(**owner),
            first_port=fields["first_port"],
            passwords=fields["passwords"],
        )


def records(instances: Path) -> dict[str, Record]:
    """Return the record of every instance below a folder, by name."""
    if not instances.is_dir():
        return {}
    found = {folder.name: Record.read(folder) for folder in sorted(instances.iterdir())}
    return {name: record for name, record in found.items() if record is not None}

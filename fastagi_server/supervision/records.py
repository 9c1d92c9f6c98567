"""The book of registered calls where the embedded API keeps them: in its store."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.models import Call, ChannelName
from fastagi_server.calls.sighting import Report, Sighting
from fastagi_server.store.errors import StoreError
from fastagi_server.supervision.ports import BookError, Registered


class ChannelRecords(Protocol):
    """Finds the records of channels. Raises StoreError."""

    async def of_channels(self, channels: Sequence[ChannelName]) -> Sequence[Call]:
        """The calls that these channels are registered as."""
        ...


class RecordBook:
    """A `CallBook` in the store."""

    def __init__(self, records: ChannelRecords, journal: CallJournal) -> None:
        self._records = records
        self._journal = journal

    async def find(
        self, channels: Collection[Sighting], systems: Collection[str]
    ) -> Mapping[str, Registered]:
        """See CallBook."""
        names = [
            ChannelName(system, channel.unique_id) for channel in channels for system in systems
        ]
        try:
            return _by_channel(await self._records.of_channels(names), systems)
        except StoreError as error:
            raise BookError(str(error)) from error

    async def active(self, systems: Collection[str]) -> Mapping[str, Registered]:
        """See CallBook."""
        try:
            return _by_channel(await self._journal.active(), systems)
        except StoreError as error:
            raise BookError(str(error)) from error

    async def write(self, report: Report) -> None:
        """See CallBook."""
        try:
            await self._journal.note(report.sighting.call_id, report.note)
        except StoreError as error:
            raise BookError(str(error)) from error


def _by_channel(calls: Sequence[Call], systems: Collection[str]) -> dict[str, Registered]:
    return {
        call.channel.unique_id: Registered(call.id, call.status)
        for call in calls
        if call.channel is not None and call.channel.system in systems
    }

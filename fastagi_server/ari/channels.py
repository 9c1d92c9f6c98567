"""Operations on channels: make, ring, answer, move and end them.

Ids are ours: pass a `channel_id` that says what the channel is for, and register it before the
request, because `StasisStart` may come before the answer. A repeated id is an `AriConflictError`.
"""

from collections.abc import Mapping

from fastagi_server.ari import reading
from fastagi_server.ari.errors import AriEndpointUnavailableError, AriNotFoundError, AriServerError
from fastagi_server.ari.models import Channel, RtpStatistics
from fastagi_server.ari.requester import Parameters, Requester

NORMAL_CLEARING = 16
"""Q.850: the call ended as calls do."""


NO_CHANNEL = "Allocation failed"
"""Asterisk's words, with a 500, when no channel can be made to an endpoint."""


class ChannelOperations:
    """The part of `AriClient` about channels; every method raises `AriError` only."""

    _requester: Requester

    async def channels(self) -> list[Channel]:
        """All live channels, ours or not."""
        found = await self._requester.ask("channels", "GET", ("channels",))
        return [Channel.from_json(raw) for raw in reading.as_objects(found, "channels")]

    async def channel(self, channel_id: str) -> Channel:
        """One live channel; `AriNotFoundError` when it is gone."""
        found = await self._requester.ask("channel", "GET", ("channels", channel_id))
        return Channel.from_json(reading.as_object(found, "the channel"))

    async def create_channel(
        self,
        endpoint: str,
        *,
        app: str,
        channel_id: str,
        app_args: str = "",
        originator: str = "",
        variables: Mapping[str, str] | None = None,
        formats: str = "",
    ) -> Channel:
        """Make a channel without calling anybody yet; it enters `app` with `app_args` at once.

        `endpoint` is a dial string such as `PJSIP/1001`; `AriEndpointUnavailableError` when no
        channel can be made to it. `originator` is the channel it is made for, whose linked id it
        takes. `formats` are codecs, by commas. `dial` then rings it.
        """
        query: Parameters = {
            "endpoint": endpoint,
            "app": app,
            "appArgs": app_args,
            "channelId": channel_id,
            "originator": originator,
            "formats": formats,
        }
        return await self._new("create_channel", ("channels", "create"), query, variables)

    async def originate(
        self,
        endpoint: str,
        *,
        app: str,
        channel_id: str,
        app_args: str = "",
        caller_id: str = "",
        timeout: int = 30,  # noqa: ASYNC109 - the phone's, not ours
        originator: str = "",
        variables: Mapping[str, str] | None = None,
        formats: str = "",
    ) -> Channel:
        """Make a channel and ring it for `timeout` seconds; it enters `app` when it answers.

        `formats` are codecs, by commas; not together with `originator`.
        """
        query: Parameters = {
            "endpoint": endpoint,
            "app": app,
            "appArgs": app_args,
            "channelId": channel_id,
            "callerId": caller_id,
            "timeout": timeout,
            "originator": originator,
            "formats": formats,
        }
        return await self._new("originate", ("channels",), query, variables)

    async def dial(
        self,
        channel_id: str,
        *,
        caller: str = "",
        timeout: int = 30,  # noqa: ASYNC109 - the phone's, not ours
    ) -> None:
        """Call the phone of a channel created and started (`StasisStart`), for `timeout` seconds.

        Before its `StasisStart` it is an `AriNotInStasisError` when Asterisk is busy. `caller` is
        the channel that the call is made for; what comes of it are `Dial` events.
        """
        await self._do("dial", channel_id, "dial", {"caller": caller, "timeout": timeout})

    async def answer(self, channel_id: str) -> None:
        """Answer a channel that rings us."""
        await self._do("answer", channel_id, "answer")

    async def ring(self, channel_id: str) -> None:
        """Tell a caller that the far end rings."""
        await self._do("ring", channel_id, "ring")

    async def ring_stop(self, channel_id: str) -> None:
        """Stop ringing."""
        await self._undo("ring_stop", channel_id, "ring")

    async def progress(self, channel_id: str) -> None:
        """Open early media to a caller, where `capabilities().progress` says so."""
        await self._do("progress", channel_id, "progress")

    async def hang_up(self, channel_id: str, *, cause: int = NORMAL_CLEARING) -> None:
        """End a channel with a Q.850 `cause`; one that has gone already is as good."""
        query: Parameters = {"reason_code": cause}
        try:
            await self._requester.ask("hang_up", "DELETE", ("channels", channel_id), query)
        except AriNotFoundError:
            return

    async def redirect(self, channel_id: str, *, endpoint: str) -> None:
        """Send the channel's phone to another endpoint of the same technology (SIP: 302/REFER)."""
        await self._do("redirect", channel_id, "redirect", {"endpoint": endpoint})

    async def continue_in_dialplan(
        self,
        channel_id: str,
        *,
        context: str = "",
        extension: str = "",
        priority: int | None = None,
    ) -> None:
        """Give a channel back to the dialplan; what is not given stays as it was on the channel."""
        query: Parameters = {
            "context": context,
            "extension": extension,
            "priority": "" if priority is None else priority,
        }
        await self._do("continue", channel_id, "continue", query)

    async def move(self, channel_id: str, *, app: str, app_args: str = "") -> None:
        """Move a channel to another application; it stays in its bridge."""
        await self._do("move", channel_id, "move", {"app": app, "appArgs": app_args})

    async def variable(self, channel_id: str, *, name: str) -> str:
        """A channel variable or dialplan function; `AriNotFoundError` when it is not set."""
        found = await self._requester.ask(
            "variable", "GET", ("channels", channel_id, "variable"), {"variable": name}
        )
        return reading.text(reading.as_object(found, "the variable"), "value")

    async def set_variable(self, channel_id: str, *, name: str, value: str) -> None:
        """Set a channel variable, or a dialplan function that can be written."""
        # In the body, where an empty value is one; a query without it would unset nothing.
        await self._requester.ask(
            "set_variable",
            "POST",
            ("channels", channel_id, "variable"),
            body={"variable": name, "value": value},
        )

    async def rtp_statistics(self, channel_id: str) -> RtpStatistics:
        """The quality of a channel's audio so far; one without RTP is refused with a 403."""
        found = await self._requester.ask(
            "rtp_statistics", "GET", ("channels", channel_id, "rtp_statistics")
        )
        return RtpStatistics.from_json(reading.as_object(found, "the statistics"))

    async def _new(
        self,
        operation: str,
        path: tuple[str, ...],
        query: Parameters,
        variables: Mapping[str, str] | None,
    ) -> Channel:
        body = {"variables": dict(variables)} if variables else None
        try:
            found = await self._requester.ask(operation, "POST", path, query, body)
        except AriServerError as error:
            if error.message != NO_CHANNEL:
                raise
            raise AriEndpointUnavailableError(error.status, error.message) from None
        return Channel.from_json(reading.as_object(found, "the channel"))

    async def _do(
        self, operation: str, channel_id: str, what: str, query: Parameters | None = None
    ) -> None:
        await self._requester.ask(operation, "POST", ("channels", channel_id, what), query)

    async def _undo(
        self, operation: str, channel_id: str, what: str, query: Parameters | None = None
    ) -> None:
        await self._requester.ask(operation, "DELETE", ("channels", channel_id, what), query)

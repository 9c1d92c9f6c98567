"""The application `sky-genesis-outbound`: one of our users calls a number outside.

    Stasis(sky-genesis-outbound,number)

It goes out through one trunk, if the policy allows the number and the caller's channel.
"""

import structlog

from fastagi_server.ari.events import StasisStart
from fastagi_server.calls.causes import Cause
from fastagi_server.calls.outbound import OutboundPolicy
from fastagi_server.stasis.voip import Arrivals

_log = structlog.stdlib.get_logger("calls")


class OutboundApplication:
    """What `sky-genesis-outbound` does with a caller."""

    def __init__(self, arrivals: Arrivals, policy: OutboundPolicy) -> None:
        self._arrivals = arrivals
        self._policy = policy

    async def enter(self, event: StasisStart) -> None:
        """Ring the number through the trunk; a caller who may not hears cause 21 (rejected)."""
        channel = event.channel
        number = event.args[0] if event.args else channel.dialplan_exten
        refusal = self._policy.refusal(number, channel.dialplan_context, channel.name)
        if refusal:
            _log.warning("outbound_refused", unique_id=channel.id, reason=refusal)
            await self._arrivals.lead(channel, "unknown", (), refusal=Cause.REJECTED)
            return
        endpoint = self._policy.endpoint(number)
        await self._arrivals.lead(channel, endpoint, (endpoint,))

"""A gateway that takes whatever browsers send."""

from fastagi_server.calls.models import Call
from fastagi_server.signaling.exchange import Exchange
from fastagi_server.signaling.models import SignalKind, SignalMessage


class WillingGateway:
    """Answers each offer with the offer itself, and has nothing to say of anything else."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def receive(self, call: Call, user: str, message: SignalMessage) -> None:
        """See signaling.ports.Gateway."""
        if message.kind is SignalKind.OFFER:
            answer = {**message.payload, "type": "answer"}
            for kind, payload in ((SignalKind.RINGING, {}), (SignalKind.ANSWER, answer)):
                self._exchange.deliver(
                    call.id, from_user="asterisk", to_user=user, kind=kind, payload=payload
                )

"""Who is let in, to what and how often, and what is kept of it; made by `service`."""

from dataclasses import dataclass

from fastagi_server.api.audit import AuditTrail
from fastagi_server.api.limits import (
    ACCOUNT_FAILURES_PER_MINUTE,
    FAILURES_PER_MINUTE,
    REQUESTS_PER_MINUTE,
    Limits,
)
from fastagi_server.calls.outbound import NO_CALLS_OUT, OutboundPolicy
from fastagi_server.identities.certificates import CertificateTable
from fastagi_server.identities.extensions import Directory, ExtensionTable
from fastagi_server.identities.proofs import Accounts, TokenReader
from fastagi_server.telemetry.measures import Measures

NO_DIRECTORY = ExtensionTable({})


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one installation.

    API keys are always good; None stands for a proof that is not taken here, and for no audit.
    The limits are requests of a user, wrong credentials of an address and wrong passwords for an
    account, a minute each; 0 is none.
    `directory` tells whose telephones are, and `max_calls` how many calls a user may have at once,
    None for any number. `outbound` tells what they may have rung outside.
    """

    tokens: TokenReader | None = None
    accounts: Accounts | None = None
    certificates: CertificateTable | None = None
    requests_per_minute: int = REQUESTS_PER_MINUTE
    failures_per_minute: int = FAILURES_PER_MINUTE
    account_failures_per_minute: int = ACCOUNT_FAILURES_PER_MINUTE
    directory: Directory = NO_DIRECTORY
    max_calls: int | None = None
    outbound: OutboundPolicy = NO_CALLS_OUT
    audit: AuditTrail | None = None

    def limits(self, measures: Measures) -> Limits:
        """The limits on requests, with nothing counted yet."""
        return Limits(
            measures=measures,
            requests_per_minute=self.requests_per_minute,
            failures_per_minute=self.failures_per_minute,
            account_failures_per_minute=self.account_failures_per_minute,
        )

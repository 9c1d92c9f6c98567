"""Every figure the program keeps about itself: one table, read by all exporters.

A measure is declared once, in `TABLE`, with its unit, its meaning and its SNMP object where it has
one. Code that counts holds a `Measures` object and names the attribute, so that a misspelt measure
is an error of the type checker and an undeclared one cannot exist.
"""

from collections.abc import Iterator

from fastagi_server.telemetry.kinds import (
    LATENCY_BUCKETS,
    MOS_BUCKETS,
    Counter,
    Gauge,
    Histogram,
    Labels,
    Measure,
    Series,
    SnmpObject,
)
from fastagi_server.telemetry.present import PRESENT, PresentMeasures

__all__ = [
    "LATENCY_BUCKETS",
    "TABLE",
    "Counter",
    "Gauge",
    "Histogram",
    "Labels",
    "Measure",
    "Measures",
    "Series",
]

TABLE: tuple[Measure, ...] = (
    Measure(
        "agi_sessions",
        "sge_voip_agi_sessions_total",
        "counter",
        "AGI sessions that ended, by route and by how they ended",
        ("route", "outcome"),
    ),
    Measure(
        "agi_session_seconds",
        "sge_voip_agi_session_duration_seconds",
        "histogram",
        "Seconds from the connection to the end of an AGI session",
        ("route",),
    ),
    Measure(
        "agi_sessions_open",
        "sge_voip_agi_sessions_open",
        "gauge",
        "AGI connections open at this moment",
        snmp=(SnmpObject(13, "voipAgiSessionsOpen", "gauge"),),
    ),
    Measure(
        "agi_refused",
        "sge_voip_agi_refused_total",
        "counter",
        "AGI connections answered with `failure` before a route ran, by reason",
        ("reason",),
    ),
    Measure(
        "agi_protocol_errors",
        "sge_voip_agi_protocol_errors_total",
        "counter",
        "AGI bytes that broke the protocol, by kind",
        ("kind",),
    ),
    Measure(
        "registrations",
        "sge_voip_registrations_total",
        "counter",
        "Call registrations, by the status given to the dialplan and the error code",
        ("status", "code"),
        snmp=(
            SnmpObject(14, "voipRegistrations", "counter64"),
            SnmpObject(15, "voipRegistrationsFailed", "counter64", where=("FAILED",)),
        ),
    ),
    Measure(
        "sge_requests",
        "sge_voip_api_requests_total",
        "counter",
        "Requests sent to the SGE API, by operation and outcome",
        ("operation", "outcome"),
    ),
    Measure(
        "sge_request_seconds",
        "sge_voip_api_request_duration_seconds",
        "histogram",
        "Seconds from sending a request to the SGE API to its answer or failure",
        ("operation",),
    ),
    Measure(
        "sge_breaker_open",
        "sge_voip_api_breaker_open",
        "gauge",
        "1 while the circuit breaker keeps requests away from the SGE API",
        snmp=(SnmpObject(19, "voipSgeBreakerOpen", "gauge"),),
    ),
    Measure(
        "outbox_depth",
        "sge_voip_outbox_depth",
        "gauge",
        "Entries in the outbox, by state (pending, dead)",
        ("state",),
        snmp=(
            SnmpObject(16, "voipOutboxPending", "gauge", where=("pending",)),
            SnmpObject(17, "voipOutboxDead", "gauge", where=("dead",)),
        ),
    ),
    Measure(
        "outbox_oldest_seconds",
        "sge_voip_outbox_oldest_age_seconds",
        "gauge",
        "Age of the oldest entry that waits for delivery",
        snmp=(SnmpObject(18, "voipOutboxOldestSeconds", "gauge"),),
    ),
    Measure(
        "outbox_entries",
        "sge_voip_outbox_entries_total",
        "counter",
        "Outbox entries, by operation and by what became of them",
        ("operation", "outcome"),
    ),
    Measure(
        "calls",
        "sge_voip_calls_total",
        "counter",
        "Calls of the embedded API, by what happened to them (created, adopted, accepted, ended)",
        ("event",),
        snmp=(
            SnmpObject(23, "voipCallsStarted", "counter64", where=("created", "adopted")),
            SnmpObject(24, "voipCallsEnded", "counter64", where=("ended",)),
        ),
    ),
    Measure(
        "rooms",
        "sge_voip_rooms_total",
        "counter",
        "What happened to rooms of the embedded API (created, joined, entered, left, closed, ...)",
        ("event",),
        snmp=(
            SnmpObject(25, "voipRoomsCreated", "counter64", where=("created",)),
            SnmpObject(26, "voipRoomsClosed", "counter64", where=("closed",)),
        ),
    ),
    Measure(
        "http_requests",
        "sge_voip_http_requests_total",
        "counter",
        "Requests answered by the embedded API, by operation and HTTP status",
        ("operation", "status"),
    ),
    Measure(
        "http_request_seconds",
        "sge_voip_http_request_duration_seconds",
        "histogram",
        "Seconds from the head of a request to the end of its answer by the embedded API",
        ("operation",),
    ),
    Measure(
        "ari_request_seconds",
        "sge_voip_ari_request_duration_seconds",
        "histogram",
        "Seconds from an ARI operation's request to its answer, by operation and outcome",
        ("operation", "outcome"),
    ),
    Measure(
        "ari_link_up",
        "sge_voip_ari_link_up",
        "gauge",
        "1 while the event socket is connected and reconciled, by link",
        ("link",),
        snmp=(SnmpObject(20, "voipAriLinksUp", "gauge"),),
    ),
    Measure(
        "ari_link_changes",
        "sge_voip_ari_link_changes_total",
        "counter",
        "Changes of an event socket's state, by link and by the state it went to",
        ("link", "state"),
    ),
    Measure(
        "ari_events",
        "sge_voip_ari_events_total",
        "counter",
        "Events received from Asterisk, by type",
        ("type",),
    ),
    Measure(
        "ari_event_lag_seconds",
        "sge_voip_ari_event_lag_seconds",
        "histogram",
        "Seconds from an event's time in Asterisk to its reading here, by link",
        ("link",),
    ),
    Measure(
        "ami_link_up",
        "sge_voip_ami_link_up",
        "gauge",
        "1 while the manager connection is logged in and reconciled, by link",
        ("link",),
        snmp=(SnmpObject(28, "voipAmiLinksUp", "gauge"),),
    ),
    Measure(
        "ami_link_changes",
        "sge_voip_ami_link_changes_total",
        "counter",
        "Changes of a manager connection's state, by link and by the state it went to",
        ("link", "state"),
    ),
    Measure(
        "ami_events",
        "sge_voip_ami_events_total",
        "counter",
        "Manager events received from Asterisk, by type (other: of no interest, skipped unread)",
        ("type",),
    ),
    Measure(
        "ami_event_lag_seconds",
        "sge_voip_ami_event_lag_seconds",
        "histogram",
        "Seconds from a manager event's time in Asterisk to its handing on here, by link",
        ("link",),
    ),
    Measure(
        "sip_link_up",
        "sge_voip_sip_link_up",
        "gauge",
        "1 while Asterisk answers on the gateway's SIP connection, by link",
        ("link",),
    ),
    Measure(
        "sip_link_changes",
        "sge_voip_sip_link_changes_total",
        "counter",
        "Changes of a SIP connection's state, by link and by the state it went to",
        ("link", "state"),
    ),
    Measure(
        "http_limited",
        "sge_voip_http_limited_total",
        "counter",
        "Requests refused with 429, by limit (requests, failures of an address or of an account)",
        ("limit",),
    ),
    Measure(
        "key_set_fetches",
        "sge_voip_key_set_fetches_total",
        "counter",
        "Attempts to fetch the key set that tokens are checked with, by outcome",
        ("outcome",),
    ),
    Measure(
        "audit_records",
        "sge_voip_audit_records_total",
        "counter",
        "Audit records written to the store",
    ),
    Measure(
        "records_forgotten",
        "sge_voip_records_forgotten_total",
        "counter",
        "Records removed from the store because they were too old, by kind (call, audit)",
        ("kind",),
    ),
    Measure(
        "calls_not_registered",
        "sge_voip_calls_not_registered_total",
        "counter",
        "Channels that reached an extension without their call being registered",
        snmp=(SnmpObject(29, "voipCallsNotRegistered", "counter64"),),
    ),
    Measure(
        "call_record_lag_seconds",
        "sge_voip_call_record_lag_seconds",
        "histogram",
        "Seconds from a manager event's time in Asterisk to the call's record telling it",
    ),
    Measure(
        "signaling_messages",
        "sge_voip_signaling_messages_total",
        "counter",
        "Signaling messages of calls from browsers, by kind (offer, answer, ringing, hangup, ...)",
        ("kind",),
    ),
    Measure(
        "gateway_legs",
        "sge_voip_gateway_legs_total",
        "counter",
        "Legs of browsers that ended, by why (ended, busy, cancelled, left, gateway_lost, ...)",
        ("reason",),
    ),
    Measure(
        "gateway_legs_open",
        "sge_voip_gateway_legs_open",
        "gauge",
        "Legs of browsers at this moment",
    ),
    Measure(
        "drops",
        "sge_voip_drops_total",
        "counter",
        "Things given up because a limit was reached, by what was dropped",
        ("what",),
        snmp=(SnmpObject(21, "voipDrops", "counter64"),),
    ),
    Measure(
        "event_streams",
        "sge_voip_event_streams_open",
        "gauge",
        "Readers of the event stream at this moment",
    ),
    Measure(
        "sockets_open",
        "sge_voip_sockets_open",
        "gauge",
        "Event sockets of users at this moment",
    ),
    Measure(
        "socket_frames",
        "sge_voip_socket_frames_total",
        "counter",
        "Frames received on event sockets, by kind (unreadable: answered with an Error)",
        ("kind",),
    ),
    Measure(
        "webhook_deliveries",
        "sge_voip_webhook_deliveries_total",
        "counter",
        "Attempts to tell a webhook of an event, by target and outcome (delivered, failed, ...)",
        ("target", "outcome"),
    ),
    Measure(
        "webhook_lag_seconds",
        "sge_voip_webhook_lag_seconds",
        "gauge",
        "Age of the oldest event that a webhook has yet to be told of, by target; 0 without any",
        ("target",),
    ),
    Measure(
        "webhook_dead_letters",
        "sge_voip_webhook_dead_letters",
        "gauge",
        "Events that a webhook could not be told of and that are kept for another try, by target",
        ("target",),
    ),
    Measure(
        "mos_samples",
        "sge_voip_mos_samples",
        "histogram",
        "Opinion scores, 1 to 5, of sampled channels, by direction (from or to the telephone)",
        ("direction",),
    ),
    *PRESENT,
)


class Measures(PresentMeasures):
    """One object per row of `TABLE`, under the row's attribute name.

    `collectors` bring the present values; whoever shows them asks for them first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.agi_sessions = Counter()
        self.agi_session_seconds = Histogram()
        self.agi_sessions_open = Gauge()
        self.agi_refused = Counter()
        self.agi_protocol_errors = Counter()
        self.registrations = Counter()
        self.sge_requests = Counter()
        self.sge_request_seconds = Histogram()
        self.sge_breaker_open = Gauge()
        self.outbox_depth = Gauge()
        self.outbox_oldest_seconds = Gauge()
        self.outbox_entries = Counter()
        self.calls = Counter()
        self.rooms = Counter()
        self.http_requests = Counter()
        self.http_request_seconds = Histogram()
        self.ari_request_seconds = Histogram()
        self.ari_link_up = Gauge()
        self.ari_link_changes = Counter()
        self.ari_events = Counter()
        self.ari_event_lag_seconds = Histogram()
        self.ami_link_up = Gauge()
        self.ami_link_changes = Counter()
        self.ami_events = Counter()
        self.ami_event_lag_seconds = Histogram()
        self.sip_link_up = Gauge()
        self.sip_link_changes = Counter()
        self.http_limited = Counter()
        self.key_set_fetches = Counter()
        self.audit_records = Counter()
        self.records_forgotten = Counter()
        self.calls_not_registered = Counter()
        self.call_record_lag_seconds = Histogram()
        self.signaling_messages = Counter()
        self.gateway_legs = Counter()
        self.gateway_legs_open = Gauge()
        self.drops = Counter()
        self.event_streams = Gauge()
        self.sockets_open = Gauge()
        self.socket_frames = Counter()
        self.webhook_deliveries = Counter()
        self.webhook_lag_seconds = Gauge()
        self.webhook_dead_letters = Gauge()
        self.mos_samples = Histogram(MOS_BUCKETS)

    def rows(self) -> Iterator[tuple[Measure, Counter | Gauge | Histogram]]:
        """Each declared measure with the object that holds its values."""
        for measure in TABLE:
            yield measure, getattr(self, measure.attribute)

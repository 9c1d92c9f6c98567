"""The part of the table that tells how things stand: values that are asked for, not counted."""

from fastagi_server.telemetry.collecting import Collectors
from fastagi_server.telemetry.kinds import Counter, Gauge, Measure, SnmpObject

PRESENT: tuple[Measure, ...] = (
    Measure(
        "calls_active",
        "sge_voip_calls_active",
        "gauge",
        "Calls of the embedded API that have not ended, by status",
        ("status",),
        is_present=True,
        snmp=(SnmpObject(1, "voipActiveCalls", "gauge"),),
    ),
    Measure(
        "calls_active_age_seconds",
        "sge_voip_calls_active_mean_age_seconds",
        "gauge",
        "Mean seconds since the start of the calls that have not ended; 0 without a call",
        is_present=True,
        snmp=(SnmpObject(11, "voipAverageCallDuration", "text"),),
    ),
    Measure(
        "last_call_timestamp",
        "sge_voip_last_call_timestamp_seconds",
        "gauge",
        "When a call last started and when one last ended, as seconds since 1970, by event",
        ("event",),
        is_present=True,
    ),
    Measure(
        "rooms_active",
        "sge_voip_rooms_active",
        "gauge",
        "Rooms of the embedded API that have not been closed",
        is_present=True,
        snmp=(SnmpObject(12, "voipActiveRooms", "gauge"),),
    ),
    Measure(
        "room_participants",
        "sge_voip_room_participants",
        "gauge",
        "Seats taken in active rooms, by state (invited, joined, ringing, waiting, ..., present)",
        ("state",),
        is_present=True,
        snmp=(SnmpObject(10, "voipRoomParticipants", "gauge"),),
    ),
    Measure(
        "channels",
        "sge_voip_channels",
        "gauge",
        "Channels of Asterisk, those of calls that are not ours included",
        is_present=True,
        snmp=(SnmpObject(2, "voipActiveChannels", "gauge"),),
    ),
    Measure(
        "bridges",
        "sge_voip_bridges",
        "gauge",
        "Bridges of Asterisk",
        is_present=True,
        snmp=(SnmpObject(3, "voipActiveBridges", "gauge"),),
    ),
    Measure(
        "registered_endpoints",
        "sge_voip_registered_endpoints",
        "gauge",
        "Endpoints of Asterisk that are online: a telephone has registered and can be reached",
        is_present=True,
        snmp=(SnmpObject(4, "voipRegisteredEndpoints", "gauge"),),
    ),
    Measure(
        "configured_endpoints",
        "sge_voip_configured_endpoints",
        "gauge",
        "Endpoints of Asterisk, online or not",
        is_present=True,
    ),
    Measure(
        "mos",
        "sge_voip_mos",
        "gauge",
        "Mean opinion score, 1 to 5, estimated for the channels that were sampled last",
        is_present=True,
        snmp=(SnmpObject(9, "voipMeanOpinionScore", "text"),),
    ),
    Measure(
        "collector_up",
        "sge_voip_collector_up",
        "gauge",
        "1 when the values that a collector brings are known, by collector",
        ("collector",),
        is_present=True,
    ),
    Measure(
        "build",
        "sge_voip_build_info",
        "gauge",
        "Always 1; the labels say what runs",
        ("version", "python"),
        is_present=True,
    ),
    Measure(
        "process_memory",
        "process_resident_memory_bytes",
        "gauge",
        "Memory of the process that is in RAM",
        is_present=True,
    ),
    Measure(
        "process_cpu",
        "process_cpu_seconds_total",
        "counter",
        "Processor time of the process, in user and system mode",
        is_present=True,
    ),
    Measure(
        "process_start",
        "process_start_time_seconds",
        "gauge",
        "When the process started, as seconds since 1970",
        is_present=True,
    ),
    Measure(
        "process_files",
        "process_open_fds",
        "gauge",
        "File descriptors that are open",
        is_present=True,
    ),
    Measure(
        "process_files_limit",
        "process_max_fds",
        "gauge",
        "File descriptors that may be open",
        is_present=True,
    ),
)


class PresentMeasures:
    """One object per row of `PRESENT`, under the row's attribute name.

    `collectors` bring the values; whoever shows them asks for them first.
    """

    def __init__(self) -> None:
        self.calls_active = Gauge()
        self.calls_active_age_seconds = Gauge()
        self.last_call_timestamp = Gauge()
        self.rooms_active = Gauge()
        self.room_participants = Gauge()
        self.channels = Gauge()
        self.bridges = Gauge()
        self.registered_endpoints = Gauge()
        self.configured_endpoints = Gauge()
        self.mos = Gauge()
        self.collector_up = Gauge()
        self.build = Gauge()
        self.process_memory = Gauge()
        self.process_start = Gauge()
        self.process_files = Gauge()
        self.process_files_limit = Gauge()
        self.process_cpu = Counter()
        self.collectors = Collectors(self.collector_up)

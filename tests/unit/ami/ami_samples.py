"""Messages as Asterisk 22.10 sent them, one of each kind."""

from fastagi_server.testing.ami.messages import Pairs, message

AT = ("Timestamp", "1795402558.531085")
SYSTEM = ("SystemName", "pbx1")


def channel(prefix: str = "", number: str = "1") -> list[tuple[str, str]]:
    """The headers of a channel, in Asterisk's order."""
    pairs = [
        ("Channel", f"PJSIP/1001-0000000{number}"),
        ("ChannelState", "6"),
        ("ChannelStateDesc", "Up"),
        ("CallerIDNum", "1001"),
        ("CallerIDName", "Hélène"),
        ("ConnectedLineNum", "<unknown>"),
        ("ConnectedLineName", "<unknown>"),
        ("Language", "en"),
        ("AccountCode", "sales"),
        ("Context", "sky-genesis-voip"),
        ("Exten", "1002"),
        ("Priority", "1"),
        ("Uniqueid", f"1795402558.{number}"),
        ("Linkedid", "1795402558.0"),
    ]
    return [(prefix + name, value) for name, value in pairs]


BRIDGE = [
    ("BridgeUniqueid", "a1ac1413-10f1-451b-9f6a-e5cc9a037bae"),
    ("BridgeType", "basic"),
    ("BridgeTechnology", "simple_bridge"),
    ("BridgeCreator", "<unknown>"),
    ("BridgeName", "<unknown>"),
    ("BridgeNumChannels", "2"),
    ("BridgeVideoSourceMode", "none"),
]

SECURITY = [
    ("EventTV", "2026-11-23T02:47:36.458+0000"),
    ("Severity", "Error"),
    ("Service", "AMI"),
    ("EventVersion", "2"),
    ("AccountID", "sky-genesis"),
    ("SessionID", "0x7f61b0003990"),
    ("LocalAddress", "IPV4/TCP/127.0.0.1/21001"),
    ("RemoteAddress", "IPV4/TCP/127.0.0.1/49150"),
    ("SessionTV", "1970-01-01T00:00:00.000+0000"),
]


def event(name: str, *pairs: tuple[str, str], stamped: bool = True) -> bytes:
    """An event without its end, as the splitter gives it."""
    head: Pairs = [("Event", name), ("Privilege", "call,all"), *([AT, SYSTEM] if stamped else [])]
    return message([*head, *pairs])[:-4]

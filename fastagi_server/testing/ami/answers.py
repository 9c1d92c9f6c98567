"""What a fake Asterisk answers to actions: the ones that are asked for, in Asterisk's words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fastagi_server.testing.ami.exchange import FakeBridge, FakeChannel
from fastagi_server.testing.ami.messages import message

Item = Mapping[str, str]


@dataclass(frozen=True)
class Contact:
    """An address at which a phone is registered."""

    endpoint: str
    uri: str
    status: str = "Reachable"
    expires_at: int = 1_710_000_300


def success(action_id: str, headers: Item) -> bytes:
    """A positive response."""
    return message((("Response", "Success"), *_id(action_id), *headers.items()))


def error(action_id: str, words: str) -> bytes:
    """A refusal."""
    return message((("Response", "Error"), *_id(action_id), ("Message", words)))


def listing(action_id: str, name: str, words: str, item: str, items: Sequence[Item]) -> bytes:
    """A list: its beginning, an event for each item, and its end."""
    begin = success(action_id, {"EventList": "start", "Message": words})
    events = (message((("Event", item), *_id(action_id), *each.items())) for each in items)
    end = message(
        (
            ("Event", f"{name}Complete"),
            *_id(action_id),
            ("EventList", "Complete"),
            ("ListItems", str(len(items))),
        )
    )
    return begin + b"".join(events) + end


def channels(action_id: str, live: list[FakeChannel]) -> bytes:
    """CoreShowChannels."""
    items = [
        {
            **channel.headers(),
            "Application": "Dial",
            "ApplicationData": "",
            "Duration": "00:01:02",
            "BridgeId": channel.bridge.unique_id if channel.bridge else "",
        }
        for channel in live
    ]
    words = "Channels will follow"
    return listing(action_id, "CoreShowChannels", words, "CoreShowChannel", items)


def bridges(action_id: str, live: list[FakeBridge]) -> bytes:
    """BridgeList."""
    items = [bridge.headers() for bridge in live]
    words = "Bridge listing will follow"
    return listing(action_id, "BridgeList", words, "BridgeListItem", items)


def contacts(action_id: str, known: list[Contact]) -> bytes:
    """PJSIPShowContacts."""
    if not known:
        return error(action_id, "No Contacts found\n")
    items = [
        {
            "ObjectType": "contact",
            "ObjectName": f"{contact.endpoint};@0bb3fdb1e3c403f5092bd19dc90d7eff",
            "Endpoint": contact.endpoint,
            "Uri": contact.uri,
            "UserAgent": "",
            "ExpirationTime": str(contact.expires_at),
            "Status": contact.status,
            "RoundtripUsec": "706",
        }
        for contact in known
    ]
    words = "A listing of Contacts follows, presented as ContactList events"
    return listing(action_id, "ContactList", words, "ContactList", items)


def _id(action_id: str) -> tuple[tuple[str, str], ...]:
    return (("ActionID", action_id),) if action_id else ()


Answer = Callable[[str], bytes]
"""Makes the answer to an action of the id given."""

"""Transactions: which responses are news, what is acknowledged, and when they are over."""

import pytest

from fastagi_server.sip.headers import Headers
from fastagi_server.sip.messages import Request
from fastagi_server.sip.replies import reply
from fastagi_server.sip.transactions import (
    NEVER,
    ClientTransaction,
    Heard,
    ServerTransaction,
    State,
    companion,
)


def request(method: str) -> Request:
    """A request of ours."""
    fields = [
        ("Via", "SIP/2.0/TCP 127.0.0.1:5070;rport;branch=z9hG4bK1"),
        ("Route", "<sip:proxy;lr>"),
        ("From", "<sip:alice@a>;tag=1"),
        ("To", "<sip:bob@b>"),
        ("Call-ID", "c1"),
        ("CSeq", f"7 {method}"),
        ("X-SGE-Gateway", "token"),
        ("Authorization", "Digest x"),
        ("Content-Type", "application/sdp"),
        ("Session-Expires", "1800"),
    ]
    return Request(method, "sip:bob@b", Headers(fields), b"v=0\r\n")


def heard(transaction: ClientTransaction, *statuses: int) -> list[str]:
    """What each of these responses is to the transaction, and `+ACK` where one is due."""
    words: list[str] = []
    for status in statuses:
        news, ack = transaction.receive(reply(transaction.request, status, tag="2"), 100.0)
        words.append(news.name + ("+ACK" if ack else ""))
    return words


def test_provisional_responses_are_news() -> None:
    """Each of them, and then the final one."""
    transaction = ClientTransaction(request("INVITE"), 0.0)
    assert heard(transaction, 100, 180, 180, 200) == ["NEWS", "NEWS", "NEWS", "NEWS"]
    assert transaction.state is State.ACCEPTED


@pytest.mark.parametrize("status", [301, 404, 486, 503, 603])
def test_a_failure_is_acknowledged_once(status: int) -> None:
    """By the transaction; what comes behind it is nothing."""
    transaction = ClientTransaction(request("INVITE"), 0.0)
    assert heard(transaction, status, status, 200) == ["NEWS+ACK", "NOTHING", "NOTHING"]


def test_a_repeated_success_is_heard_again() -> None:
    """The dialog acknowledges it again."""
    transaction = ClientTransaction(request("INVITE"), 0.0)
    assert heard(transaction, 200, 200, 180, 486) == ["NEWS", "AGAIN", "NOTHING", "NOTHING"]


def test_other_requests_are_never_acknowledged() -> None:
    """Only an INVITE is."""
    assert heard(ClientTransaction(request("BYE"), 0.0), 481) == ["NEWS"]


def test_the_ack_of_a_failure_belongs_to_the_invite() -> None:
    """It has the INVITE's URI, branch, number, route and credentials, and the answer's To."""
    invite = request("INVITE")
    _, ack = ClientTransaction(invite, 0.0).receive(reply(invite, 486, tag="2"), 0.0)
    assert ack is not None
    assert ack.serialize() == (
        b"ACK sip:bob@b SIP/2.0\r\n"
        b"Via: SIP/2.0/TCP 127.0.0.1:5070;rport;branch=z9hG4bK1\r\n"
        b"Max-Forwards: 70\r\n"
        b"To: <sip:bob@b>;tag=2\r\n"
        b"CSeq: 7 ACK\r\n"
        b"Route: <sip:proxy;lr>\r\n"
        b"From: <sip:alice@a>;tag=1\r\n"
        b"Call-ID: c1\r\n"
        b"X-SGE-Gateway: token\r\n"
        b"Authorization: Digest x\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


def test_a_cancel_has_the_branch_of_its_invite() -> None:
    """And its number; it carries no session."""
    cancel = companion(request("INVITE"), "CANCEL", "<sip:bob@b>")
    assert cancel.headers.get("Via") == "SIP/2.0/TCP 127.0.0.1:5070;rport;branch=z9hG4bK1"
    assert cancel.headers.get("CSeq") == "7 CANCEL"
    assert cancel.body == b""


def test_deadlines_of_an_invite() -> None:
    """32 s to the first response, none while it rings, 32 s for repeated answers."""
    transaction = ClientTransaction(request("INVITE"), 100.0)
    assert transaction.deadline == 132.0
    transaction.receive(reply(transaction.request, 180), 110.0)
    assert (transaction.deadline, transaction.is_open) == (NEVER, True)
    transaction.receive(reply(transaction.request, 200), 120.0)
    assert (transaction.deadline, transaction.is_open) == (152.0, False)


def test_deadlines_of_another_request() -> None:
    """32 s in all, whatever is said in between; nothing behind the answer."""
    transaction = ClientTransaction(request("BYE"), 100.0)
    transaction.receive(reply(transaction.request, 100), 110.0)
    assert transaction.deadline == 132.0
    transaction.receive(reply(transaction.request, 200), 120.0)
    assert transaction.deadline == 120.0


def test_a_server_says_one_final_response() -> None:
    """Provisional ones before it, nothing behind it."""
    server = ServerTransaction(request("INVITE"))
    said = [server.respond(reply(server.request, status), 0.0) for status in (100, 180, 486, 200)]
    assert said == [True, True, True, False]
    assert server.last is not None
    assert server.last.status == 486


def test_a_server_waits_for_the_ack() -> None:
    """For 32 s; the first ACK counts."""
    server = ServerTransaction(request("INVITE"))
    assert not server.acknowledge()
    server.respond(reply(server.request, 200), 100.0)
    assert (server.deadline, server.is_open) == (132.0, False)
    assert server.acknowledge()
    assert not server.acknowledge()


def test_a_server_of_another_request_is_done_at_once() -> None:
    """Over TCP nobody asks again."""
    server = ServerTransaction(request("BYE"))
    server.respond(reply(server.request, 200), 100.0)
    assert server.deadline == 100.0


def test_names_of_what_is_heard() -> None:
    """There are three."""
    assert [one.name for one in Heard] == ["NEWS", "AGAIN", "NOTHING"]

"""What a browser is told of STUN and TURN servers."""

from datetime import UTC, datetime

from fastagi_server.signaling.ice import IceBook, IceServer

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_nothing() -> None:
    """Without servers there is an empty list, and it is good for as long as another one."""
    offered = IceBook(now=lambda: NOON).servers("alice")
    assert (offered.servers, offered.seconds) == ((), 3600)
    assert offered.expires_at == datetime(2026, 1, 1, 13, tzinfo=UTC)


def test_stun_needs_no_credentials() -> None:
    """STUN servers are told as they are."""
    offered = IceBook(stun_urls=["stun:stun.example:3478"], now=lambda: NOON).servers("alice")
    assert offered.servers == (IceServer(("stun:stun.example:3478",)),)


def test_turn() -> None:
    """TURN credentials are a moment with the user, and an HMAC of both under the secret.

    The credential is what `printf 1767269100:alice | openssl dgst -sha1 -hmac swordfish -binary |
    base64` says.
    """
    book = IceBook(
        stun_urls=["stun:a"],
        turn_urls=["turn:b", "turns:c?transport=tcp"],
        secret="swordfish",
        seconds=300,
        now=lambda: NOON,
    )
    offered = book.servers("alice")
    assert offered.servers == (
        IceServer(("stun:a",)),
        IceServer(
            ("turn:b", "turns:c?transport=tcp"),
            "1767269100:alice",
            "8DFwqXknrD5AORYkfOmW8QfhOhw=",
        ),
    )
    assert offered.seconds == 300
    assert offered.expires_at == datetime(2026, 1, 1, 12, 5, tzinfo=UTC)


def test_credentials_are_a_users_own() -> None:
    """Each user has a name, and so a credential, of his own."""
    book = IceBook(turn_urls=["turn:b"], secret="swordfish", now=lambda: NOON)
    ((alice,), (bob,)) = (book.servers(user).servers for user in ("alice", "bob"))
    assert alice.username == "1767272400:alice"
    assert bob.username == "1767272400:bob"
    assert alice.credential != bob.credential

"""The book of who is there."""

import asyncio
from collections.abc import Callable

import pytest

from fastagi_server.identities.extensions import ExtensionTable
from fastagi_server.presence.book import PresenceBook
from fastagi_server.presence.frames import Frame
from fastagi_server.presence.models import Presence, Status, TooManySocketsError
from fastagi_server.telemetry.measures import Measures
from tests.unit.presence.presence_doubles import NOON, Ear, noon

AT_ONCE = 0.0
NEVER = 3600.0

MakeBook = Callable[..., PresenceBook]


@pytest.fixture
def make_book() -> MakeBook:
    """Makes books whose clock stands at noon; users are gone after an hour unless said."""

    def make(**settings: object) -> PresenceBook:
        given = {"measures": Measures(), "gone_seconds": NEVER, "now": noon} | settings
        return PresenceBook(**given)  # type: ignore[arg-type]  # the tests name real arguments

    return make


def seen(book: PresenceBook, user: str = "alice") -> str:
    """How a user is seen."""
    presence = book.get(user)
    assert presence is not None
    return presence.status.value


async def gone_of(book: PresenceBook) -> str:
    """The next user who is gone."""
    gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    book.on_gone(lambda user: None if gone.done() else gone.set_result(user))
    return await asyncio.wait_for(gone, 5)


async def test_somebody_unknown_is_nowhere(make_book: MakeBook) -> None:
    """Of a user that was never there nothing is known, and he cannot be told anything."""
    book = make_book()
    assert book.get("alice") is None
    assert not book.is_reachable("alice")
    assert book.push("alice", "Call", {}) == 0


async def test_a_socket_makes_online(make_book: MakeBook) -> None:
    """Who opens a socket is online, and offline as soon as it is closed."""
    book, ear = make_book(), Ear()
    book.enter("alice", ear)
    assert (seen(book), book.is_reachable("alice"), book.has_sockets("alice")) == (
        "online",
        True,
        True,
    )
    book.leave("alice", ear)
    assert (seen(book), book.is_reachable("alice"), book.has_sockets("alice")) == (
        "offline",
        False,
        False,
    )


async def test_only_the_last_socket_makes_offline(make_book: MakeBook) -> None:
    """A user with two sockets stays online when one of them is closed."""
    book, first, second = make_book(), Ear(), Ear()
    book.enter("alice", first)
    book.enter("alice", second)
    book.leave("alice", first)
    book.leave("alice", first)
    assert seen(book) == "online"
    book.leave("alice", second)
    assert seen(book) == "offline"


async def test_a_frame_reaches_every_socket_of_a_user(make_book: MakeBook) -> None:
    """What is pushed to a user reaches all his sockets and nobody else's."""
    book, first, second, other = make_book(), Ear(), Ear(), Ear()
    book.enter("alice", first)
    book.enter("alice", second)
    book.enter("bob", other)
    assert book.push("alice", "Signaling", {"call_id": "c1"}) == 2
    assert first.take() == second.take() == [{"type": "Signaling", "call_id": "c1"}]
    assert other.take() == []


async def test_sockets_of_one_user_are_limited(make_book: MakeBook) -> None:
    """A socket too many is refused, and the others stay."""
    book, ear = make_book(max_sockets_per_user=1), Ear()
    book.enter("alice", ear)
    with pytest.raises(TooManySocketsError):
        book.enter("alice", Ear())
    assert book.tell("alice", Frame("Pong")) == 1


async def test_a_poll_counts_as_there(make_book: MakeBook) -> None:
    """Who waits in a long poll is there, and still is between two of them."""
    book = make_book()
    with book.polling("alice"):
        assert (seen(book), book.is_reachable("alice")) == ("online", True)
    assert (seen(book), book.is_reachable("alice")) == ("online", True)
    assert not book.has_sockets("alice")


async def test_a_poller_is_gone_after_a_while(make_book: MakeBook) -> None:
    """Who polls no more is gone, and offline, when the time has passed."""
    book = make_book(gone_seconds=AT_ONCE)
    with book.polling("alice"):
        pass
    assert await gone_of(book) == "alice"
    assert (seen(book), book.is_reachable("alice")) == ("offline", False)


async def test_the_last_socket_counts_whatever_was_polled_before(make_book: MakeBook) -> None:
    """Who polled once and closes his last socket is offline at once."""
    book, ear = make_book(), Ear()
    with book.polling("alice"):
        pass
    book.enter("alice", ear)
    book.leave("alice", ear)
    assert seen(book) == "offline"


async def test_who_is_gone_is_told_once(make_book: MakeBook) -> None:
    """A user whose last socket is closed for long enough has left, once."""
    book, first, second = make_book(gone_seconds=AT_ONCE), Ear(), Ear()
    told: list[str] = []
    book.on_gone(told.append)
    book.enter("alice", first)
    book.enter("alice", second)
    book.leave("alice", first)
    book.leave("alice", second)
    assert await gone_of(book) == "alice"
    assert told == ["alice"]


async def test_who_comes_back_in_time_is_not_gone(make_book: MakeBook) -> None:
    """A page that is loaded anew has not left: nobody hears that its user is gone."""
    book, page = make_book(gone_seconds=AT_ONCE), Ear()
    told: list[str] = []
    book.on_gone(told.append)
    book.enter("alice", page)
    book.leave("alice", page)
    book.enter("alice", Ear())
    book.expect("bob")
    assert await gone_of(book) == "bob"
    assert told == ["bob"]


async def test_somebody_is_expected(make_book: MakeBook) -> None:
    """Who was expected and does not come is gone like one who was there."""
    book = make_book(gone_seconds=AT_ONCE)
    book.expect("alice")
    assert not book.is_reachable("alice")
    assert await gone_of(book) == "alice"


async def test_who_is_there_need_not_be_expected(make_book: MakeBook) -> None:
    """Expecting somebody who is there does not make him go."""
    book = make_book(gone_seconds=AT_ONCE)
    told: list[str] = []
    book.on_gone(told.append)
    book.enter("alice", Ear())
    book.expect("alice")
    book.expect("bob")
    assert await gone_of(book) == "bob"
    assert told == ["bob"]


async def test_a_closed_book_waits_for_nobody(make_book: MakeBook) -> None:
    """With the service nobody leaves: his calls are not ended by its end."""
    book, ear = make_book(gone_seconds=AT_ONCE), Ear()
    told: list[str] = []
    book.on_gone(told.append)
    book.enter("alice", ear)
    book.enter("bob", ear)
    book.leave("bob", ear)
    book.close()
    book.leave("alice", ear)
    for _ in range(3):
        await asyncio.sleep(0)
    assert told == []


async def test_what_one_callback_raises_does_not_stop_the_next(make_book: MakeBook) -> None:
    """A callback that fails does not keep the others from hearing."""
    book = make_book(gone_seconds=AT_ONCE)

    def fail(_user: str) -> None:
        raise RuntimeError

    book.on_gone(fail)
    book.expect("alice")
    assert await gone_of(book) == "alice"


async def test_what_somebody_says_is_seen(make_book: MakeBook) -> None:
    """A user's own state, words and device are seen, and since when."""
    book = make_book()
    book.enter("alice", Ear())
    shown = book.say("alice", Status.AWAY, "At lunch", "phone")
    assert shown == Presence("alice", Status.AWAY, NOON, "At lunch", "phone")
    assert book.get("alice") == shown


async def test_what_is_said_without_a_socket_counts(make_book: MakeBook) -> None:
    """A client that never opens a socket is seen as it says."""
    book = make_book()
    book.say("alice", Status.DO_NOT_DISTURB)
    assert seen(book) == "do_not_disturb"
    book.say("alice", Status.ONLINE)
    assert seen(book) == "online"


async def test_what_was_said_outlives_a_reload(make_book: MakeBook) -> None:
    """Offline in between, a user is away again when his page is back."""
    book, page = make_book(), Ear()
    book.enter("alice", page)
    book.say("alice", Status.AWAY, "At lunch")
    book.leave("alice", page)
    assert book.get("alice") == Presence("alice", Status.OFFLINE, NOON)
    book.enter("alice", page)
    assert book.get("alice") == Presence("alice", Status.AWAY, NOON, "At lunch")


async def test_what_was_said_goes_with_the_user(make_book: MakeBook) -> None:
    """Who comes back after he was gone is simply online."""
    book, page = make_book(gone_seconds=AT_ONCE), Ear()
    book.enter("alice", page)
    book.say("alice", Status.AWAY)
    book.leave("alice", page)
    await gone_of(book)
    book.enter("alice", page)
    assert seen(book) == "online"


async def test_a_call_makes_busy_for_as_long_as_it_lasts(make_book: MakeBook) -> None:
    """On a call a user is busy, and afterwards what he was before."""
    book = make_book()
    book.enter("alice", Ear())
    book.say("alice", Status.AWAY)
    book.occupy("alice", "call-1", is_on=True)
    assert seen(book) == "busy"
    book.occupy("alice", "call-1", is_on=False)
    assert seen(book) == "away"


async def test_busy_until_the_last_call_ends(make_book: MakeBook) -> None:
    """Of two calls one that ends leaves the user busy."""
    book = make_book()
    book.occupy("alice", "call-1", is_on=True)
    book.occupy("alice", "call-2", is_on=True)
    book.occupy("alice", "call-1", is_on=False)
    assert seen(book) == "busy"
    book.occupy("alice", "call-2", is_on=False)
    assert seen(book) == "offline"


@pytest.mark.parametrize("said", [Status.DO_NOT_DISTURB, Status.OFFLINE])
async def test_a_call_does_not_tell_on_who_hides(make_book: MakeBook, said: Status) -> None:
    """Who wants no disturbance, or not to be seen, is seen so on a call too."""
    book = make_book()
    book.enter("alice", Ear())
    book.say("alice", said)
    book.occupy("alice", "call-1", is_on=True)
    assert seen(book) == said.value


async def test_a_call_that_nobody_knew_ends_unnoticed(make_book: MakeBook) -> None:
    """The end of an unknown user's call makes nobody known."""
    book = make_book()
    book.occupy("alice", "call-1", is_on=False)
    assert book.get("alice") is None


async def test_a_telephone_in_use_makes_its_users_busy(make_book: MakeBook) -> None:
    """A device belongs to the users of its extension, and to nobody without one."""
    book = make_book(directory=ExtensionTable({"1001": "alice, bob"}))
    book.device_state("PJSIP/1001", in_use=True)
    book.device_state("PJSIP/1009", in_use=True)
    assert [each.user for each in book.known(10)] == ["alice", "bob"]
    assert (seen(book), seen(book, "bob")) == ("busy", "busy")
    book.device_state("PJSIP/1001", in_use=False)
    assert (seen(book), seen(book, "bob")) == ("offline", "offline")


async def test_changes_are_told_and_nothing_else(make_book: MakeBook) -> None:
    """Each change of how a user is seen is told once, and what changes nothing is not."""
    book, ear = make_book(), Ear()
    told: list[Presence] = []
    book.on_change(told.append)
    book.enter("alice", ear)
    book.enter("alice", Ear())
    book.say("alice", Status.ONLINE)
    book.say("alice", Status.AWAY, "soon")
    book.say("alice", Status.AWAY, "soon")
    assert told == [
        Presence("alice", Status.ONLINE, NOON),
        Presence("alice", Status.AWAY, NOON, "soon"),
    ]


async def test_the_known_are_listed_by_name(make_book: MakeBook) -> None:
    """Those who are known are listed by name, and not more than asked for."""
    book = make_book()
    for user in ("carol", "alice", "bob"):
        book.enter(user, Ear())
    assert [each.user for each in book.known(2)] == ["alice", "bob"]


async def test_users_are_known_before_they_come(make_book: MakeBook) -> None:
    """Users who were introduced are listed, as offline, and come like others."""
    book = make_book()
    book.introduce(["bob", "alice"])
    assert [(each.user, each.status.value) for each in book.known(10)] == [
        ("alice", "offline"),
        ("bob", "offline"),
    ]
    assert not book.is_reachable("alice")
    book.enter("alice", Ear())
    book.introduce(["alice"])
    assert seen(book) == "online"


async def test_who_was_away_longest_is_forgotten(make_book: MakeBook) -> None:
    """Beyond the limit those are forgotten, and counted, who are not there."""
    measures = Measures()
    book = make_book(measures=measures, max_users=2)
    book.enter("alice", Ear())
    book.say("bob", Status.AWAY)
    book.enter("carol", Ear())
    assert [each.user for each in book.known(10)] == ["alice", "carol"]
    assert measures.drops.values == {("presence",): 1.0}


async def test_nobody_who_is_there_is_forgotten(make_book: MakeBook) -> None:
    """Those with a socket are kept, however many they are: sockets have a limit of their own."""
    book = make_book(max_users=1)
    book.enter("alice", Ear())
    book.enter("bob", Ear())
    assert [each.user for each in book.known(10)] == ["alice", "bob"]

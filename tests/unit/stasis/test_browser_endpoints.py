"""What is rung for users, and for whom a browser calls."""

from fastagi_server.identities.browsers import BrowserEndpoint
from fastagi_server.stasis.endpoints import Endpoints

ENDPOINTS = Endpoints(
    extensions={"1500": ("SIP/1001", "PJSIP/bob@sge-gateway")},
    browsers=BrowserEndpoint("sge-gateway"),
    is_reachable=lambda user: user in {"bob", "c@d"},
)


def test_a_user_with_a_page() -> None:
    """He is rung there."""
    assert ENDPOINTS.of_participant("bob") == ("PJSIP/bob@sge-gateway",)
    assert ENDPOINTS.of_leg("c@d") == ("PJSIP/c~40d@sge-gateway",)


def test_a_user_without_one() -> None:
    """There is nothing to ring."""
    assert ENDPOINTS.of_participant("carol") == ()
    assert ENDPOINTS.of_leg("carol") == ()
    assert Endpoints(is_reachable=lambda _: True).of_user("bob") == ()


def test_an_extension_that_a_browser_calls() -> None:
    """Its phones are those that the table has, as for a phone that dials it."""
    assert ENDPOINTS.of_participant("SIP/1500") == ("PJSIP/1001", "PJSIP/bob@sge-gateway")
    assert ENDPOINTS.of_participant("SIP/1002") == ("PJSIP/1002",)


def test_a_leg_of_a_placed_call() -> None:
    """A dial string is taken by its word, one for each leg."""
    assert ENDPOINTS.of_leg("SIP/1500") == ("PJSIP/1500",)


def test_a_user_in_a_dial_string() -> None:
    """However the client wrote him, he is rung by his seat."""
    assert ENDPOINTS.of_dial_string("SIP/c@d@sge-gateway") == "PJSIP/c~40d@sge-gateway"

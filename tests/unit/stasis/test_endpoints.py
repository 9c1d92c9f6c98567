"""What is rung for a dial string or an extension."""

import pytest

from fastagi_server.stasis.endpoints import Endpoints


def test_sip_is_pjsip() -> None:
    """Unless the setting says otherwise; other technologies stay."""
    assert Endpoints().of_dial_string("SIP/1001") == "PJSIP/1001"
    assert Endpoints().of_dial_string("sip/1001") == "PJSIP/1001"
    assert Endpoints(maps_sip=False).of_dial_string("SIP/1001") == "SIP/1001"
    assert Endpoints().of_dial_string("IAX2/office") == "IAX2/office"


def test_extensions() -> None:
    """One phone of the same name, or those that the table has."""
    endpoints = Endpoints(extensions={"1500": ("SIP/1001", "IAX2/office")})
    assert endpoints.of_extension("1001") == ("PJSIP/1001",)
    assert endpoints.of_extension("1500") == ("PJSIP/1001", "IAX2/office")


@pytest.mark.parametrize("text", ["", "1001&PJSIP/1002", "s", "1001@x", "1" * 33, "1\u0660"])
def test_what_is_no_extension(text: str) -> None:
    """Nothing is rung for what is not made of digits."""
    assert Endpoints().of_extension(text) == ()

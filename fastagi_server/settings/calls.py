"""The settings of calls and rooms; a part of `settings.Settings`."""

from pydantic import BaseModel, Field

from fastagi_server.settings.forms import Words


class CallSettings(BaseModel):
    """How calls and rooms are led, and how long they may last. Units are in the names."""

    sge_map_sip: bool = Field(
        True, description="Ring SIP/x as PJSIP/x: chan_sip left Asterisk in version 21"
    )
    sge_ring_seconds: int = Field(
        30, ge=1, le=600, description="How long a phone rings that does not answer"
    )
    sge_max_room_participants: int = Field(
        500, ge=1, le=500, description="The most participants that a room may be made for"
    )
    sge_max_rooms_per_user: int = Field(
        20, ge=0, description="Active rooms that one user may own; 0 for no limit"
    )
    sge_room_idle_hours: float = Field(
        24.0,
        gt=0,
        description="How long a room stays open in which nothing happens and no telephone is",
    )
    sge_room_retention_hours: float = Field(
        24.0, ge=0, description="How long a closed room can still be read"
    )
    sge_idle_ringing_seconds: float = Field(
        300.0,
        ge=0,
        description="Age at which an unanswered call that no channel has is ended; 0 for none",
    )
    sge_idle_call_seconds: float = Field(
        86_400.0,
        ge=0,
        description="Age at which an answered call that no channel has is ended; 0 for none",
    )
    sge_call_retention_days: int = Field(
        365,
        ge=0,
        le=36_500,
        description="How long ended calls and their logs are kept in the database; 0 for ever",
    )
    sge_supervised_contexts: Words = Field(
        ("sky-genesis-voip", "from-trunk"),
        description="Dialplan contexts where a call that is not registered is reported; * for all",
    )
    sge_dial_strings: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Dial strings to ring for an extension, when it is not PJSIP/extension alone",
    )
    sge_trunk: str = Field(
        "",
        pattern=r"^([A-Za-z0-9]+/[A-Za-z0-9._-]+)?$",
        description="Trunk for calls to outside, such as PJSIP/sky-genesis-trunk; empty forbids"
        " them",
    )
    sge_users_may_call_out: bool = Field(
        False,
        description="Whether users of the API, and not only trusted keys, may have numbers outside"
        " rung, written as SGE_TRUNK/number@: PJSIP/0123@sky-genesis-trunk",
    )
    sge_outbound_contexts: Words = Field(
        ("sky-genesis-voip",),
        description="Dialplan contexts whose channels may call out; never that of a trunk",
    )
    sge_outbound_allow: Words = Field(
        (), description="Patterns of numbers that may be called outside, such as 0X."
    )
    sge_outbound_deny: Words = Field(
        (), description="Patterns of numbers that may not, though they are allowed"
    )

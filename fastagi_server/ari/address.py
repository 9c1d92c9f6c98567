"""The address of ARI, as people write it and as it is used."""

import httpx

from fastagi_server.ari.errors import AriAddressError

EVENT_SCHEMES = {"http": "ws", "https": "wss"}


def normalise_ari_url(text: str) -> httpx.URL:
    """`text` as the URL that ends in `/ari`, without a trailing slash.

    With or without `/ari` in `text`: both are documented. Raises `AriAddressError` for anything
    that is not an http(s) URL of a host, and for credentials, a query or a fragment in it.
    """
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as error:
        raise AriAddressError(f"the ARI URL cannot be read: {error}") from error
    if url.scheme not in EVENT_SCHEMES or not url.host:
        raise AriAddressError("the ARI URL must begin with http:// or https:// and name a host")
    if url.userinfo or url.query or url.fragment:
        raise AriAddressError("the ARI URL must not hold credentials, a query or a fragment")
    path = url.path.rstrip("/")
    return url.copy_with(path=path if path.endswith("/ari") else f"{path}/ari")


def events_url(base_url: httpx.URL, applications: tuple[str, ...], *, subscribe_all: bool) -> str:
    """Where the event socket of `applications` is."""
    query = {"app": ",".join(applications)}
    if subscribe_all:
        query["subscribeAll"] = "true"
    address = base_url.copy_with(
        scheme=EVENT_SCHEMES[base_url.scheme], path=f"{base_url.path}/events"
    )
    return str(address.copy_merge_params(query))

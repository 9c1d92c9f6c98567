"""The base URL of the API, as people write it and as it is used."""

import httpx

from fastagi_server.sge.errors import AddressError


def normalise_base_url(text: str) -> httpx.URL:
    """`text` as the URL that ends in `/voip`, without a trailing slash.

    The documented form ends in `/api/v1/voip`; `/api/v1` alone and a bare origin are accepted
    too, because documents of the system use them. Raises `AddressError` for anything that is not
    an http(s) URL of a host, and for credentials, a query or a fragment in it.
    """
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as error:
        raise AddressError(f"the SGE API URL cannot be read: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise AddressError("the SGE API URL must begin with http:// or https:// and name a host")
    if url.userinfo or url.query or url.fragment:
        raise AddressError("the SGE API URL must not hold credentials, a query or a fragment")
    path = url.path.rstrip("/")
    if not path:
        path = "/api/v1/voip"
    elif not path.endswith("/voip"):
        path += "/voip"
    return url.copy_with(path=path)

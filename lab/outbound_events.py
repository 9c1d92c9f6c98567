"""Let an instance open its ARI event socket to us, and keep its applications while we are away."""

from collections.abc import Sequence

from lab.asterisk import Asterisk

RECONNECT_MS = 100

CLIENT = """
[{name}]
type = websocket_client
connection_type = persistent
uri = ws://127.0.0.1:{port}/
protocols = ari
username = {username}
password = {password}
reconnect_interval = {reconnect_ms}
"""

CONNECTION = """
[{name}]
type = outbound_websocket
websocket_client_id = {name}
apps = {apps}
local_ari_user = {user}
"""


def connect_events(
    asterisk: Asterisk,
    port: int,
    apps: Sequence[str],
    *,
    username: str,
    password: str,
    name: str = "fastagi",
) -> None:
    """Have a running instance connect to 127.0.0.1:`port` for `apps`, now and ever after.

    It shows `username` and `password` (HTTP Basic). No other socket may serve these applications.
    """
    values = {
        "name": name,
        "port": port,
        "username": username,
        "password": password,
        "reconnect_ms": RECONNECT_MS,
        "apps": ",".join(apps),
        "user": asterisk.control.user,
    }
    for file, text in (("websocket_client.conf", CLIENT), ("ari.conf", CONNECTION)):
        with (asterisk.folder / "etc" / file).open("a") as configuration:
            configuration.write(text.format(**values))
    for module in ("res_websocket_client.so", "res_ari.so"):
        asterisk.cli(f"module reload {module}")

"""What the dialplan may ask for. A new route is one function and its name in `ROUTES`."""

from fastagi_server.routes.accept import accept
from fastagi_server.routes.end import end
from fastagi_server.routes.health import health
from fastagi_server.routes.register import register
from fastagi_server.routes.status import status

ROUTES = (register, accept, end, status, health)
"""Every route that the server offers."""

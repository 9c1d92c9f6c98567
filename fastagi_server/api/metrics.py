"""The measures for Prometheus; for anybody who can reach them, as documented."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from fastagi_server.api.context import services_of
from fastagi_server.telemetry.prometheus import CONTENT_TYPE

_EXAMPLE = """# HELP sge_voip_agi_sessions_open AGI connections open at this moment
# TYPE sge_voip_agi_sessions_open gauge
sge_voip_agi_sessions_open 3
"""

router = APIRouter(prefix="/metrics", tags=["metrics"])


@router.get(
    "/prometheus",
    name="metrics_prometheus",
    summary="All measures, in text format 0.0.4",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"example": _EXAMPLE}}}},
)
async def prometheus(request: Request) -> Response:
    """Expose the measures of all workers; with several the label `worker` tells them apart.

    Present values, such as the number of channels, are at most a second old, or as old as the last
    request where Asterisk is slow to give them. What is not known is left out.
    """
    return Response(await services_of(request).exposition.text(), media_type=CONTENT_TYPE)

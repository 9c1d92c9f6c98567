"""How the outcome of a registration becomes channel variables."""

from fastagi_server.fastagi.router import Variables
from fastagi_server.registration.models import Outcome


def outcome_variables(outcome: Outcome) -> Variables:
    """SGE_STATUS, SGE_ERROR and SGE_ERROR_CODE, for routes that give no ids out."""
    return {
        "SGE_STATUS": outcome.status.value,
        "SGE_ERROR": outcome.error,
        "SGE_ERROR_CODE": outcome.code,
    }

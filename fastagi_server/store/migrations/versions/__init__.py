"""The steps. One that was released is never changed: databases out there have taken it."""

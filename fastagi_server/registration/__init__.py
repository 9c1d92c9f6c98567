"""Registering calls with SGE: what is said, when it counts as said, and what happens meanwhile.

The registrar answers the dialplan, within the caller's patience; the relay delivers, with all the
patience there is, what the registrar could not. Both speak to the API and to the outbox through
the ports of this package.
"""

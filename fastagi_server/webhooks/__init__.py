"""Webhooks: events of calls and rooms, told to other programs over HTTP, at least once each."""

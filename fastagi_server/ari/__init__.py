"""Asterisk's REST interface: operations over HTTP, events over a WebSocket in either direction."""

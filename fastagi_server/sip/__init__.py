"""A signaling-only SIP user agent over TCP: the legs that browsers have in Asterisk."""

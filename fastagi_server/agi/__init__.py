"""AGI without I/O: bytes in, events out; typed commands in, bytes out.

The package knows the protocol of Asterisk's `res_agi` and nothing of sockets, event loops or SGE.
`connection` is the state machine, `commands` what may be said, `replies` and `request` what is
heard, `guards` what must never be said because it would hurt the PBX.
"""

"""The event stream: what happens, as other programs are told of it.

No I/O: the records are read through ports.
"""

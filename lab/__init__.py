"""A real Asterisk 22 with SIP phones on loopback, for tests, demonstrations and benchmarks.

`lab.root` installs it, `lab.asterisk` runs one or several of it, `lab.phones` calls it. Standard
library only, so that a plain `python3 -m lab` works before anything else is installed. Needs
Debian and root, because Asterisk lives in a root folder of its own that is entered with chroot.
"""

"""What can go wrong in the lab.

LabError
+-- InstallError   this machine cannot have the lab: not Debian, not root, no mirror
+-- StartError     Asterisk or a phone was not up before its deadline
+-- CommandError   a program or a request of the lab answered with an error
"""


class LabError(Exception):
    """Root of every error the lab raises; its text is meant for the person at the terminal."""


class InstallError(LabError):
    """This machine cannot have the lab; the text says what is missing."""


class StartError(LabError):
    """A program was not ready before its deadline; the text ends with its last output."""


class CommandError(LabError):
    """A program exited with an error or Asterisk refused a request."""

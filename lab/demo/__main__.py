"""`python -m lab.demo`: 0 when the call went as it should, 1 with the reason when not."""

import argparse
import signal
import sys
import time

from lab.demo import fake, real
from lab.demo.checks import checks, faults
from lab.demo.report import report
from lab.demo.story import CALLED, CALLER, Story
from lab.errors import LabError
from lab.root import Root, install

INTERRUPTED = 130

BOLD, PLAIN = "\033[1m", "\033[0m"


def say(line: str) -> None:
    """Print a line at once, a heading in bold where the terminal can."""
    if line.startswith("# "):
        title = line.removeprefix("# ")
        line = f"\n{BOLD}{title}{PLAIN}" if sys.stdout.isatty() else f"\n{title}"
    elif line:
        line = f"  {line}"
    print(line, flush=True)


def tell(name: str, text: str) -> None:
    """Print what one part of the demonstration is."""
    say(f"{name:<10}{text}")


def why_not_real(root: Root) -> str | None:
    """Return why the call cannot be real; installs Asterisk first where it can be had."""
    if not root.is_complete:
        say("installing a real Asterisk for the lab, once: about a minute and 660 MB")
        try:
            install(root, say)
        except LabError as error:
            return str(error).splitlines()[0]
    return root.why_not()


def demonstrate(*, use_fake: bool) -> Story:
    """Place the call with the best Asterisk there is."""
    root = Root.default()
    reason = "--fake asks for the fake one" if use_fake else why_not_real(root)
    say(f"# A call from {CALLER} to {CALLED}")
    if reason is None:
        return real.place(root, tell)
    say(f"No real Asterisk: {reason}")
    return fake.place(tell)


def run(*, use_fake: bool) -> int:
    """Demonstrate, report and judge."""
    began = time.monotonic()
    story = demonstrate(use_fake=use_fake)
    for line in report(story):
        say(line)
    wrong = faults(story)
    for fault in wrong:
        print(f"demo: not so: {fault}", file=sys.stderr)
    if wrong:
        return 1
    count, seconds = len(list(checks(story))), time.monotonic() - began
    say(f"# All {count} checks hold; everything is stopped again, after {seconds:.1f} s.")
    return 0


def main() -> int:
    """Read the options and run; Ctrl-C and SIGTERM stop all that was started."""
    parser = argparse.ArgumentParser(prog="python -m lab.demo", description=__doc__)
    parser.add_argument("--fake", action="store_true", help="use the shipped fake Asterisk")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(use_fake=options.fake)
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted; everything is stopped again", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())

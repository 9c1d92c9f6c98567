"""The shipped fake Asterisk with so many calls of two legs and a bridge each; prints its address.

crowded_ari.py CALLS
"""

import asyncio
import sys

from fastagi_server.testing.ari.fake import FakeAri
from fastagi_server.testing.ari.objects import FakeBridge, FakeChannel


async def main(calls: int) -> None:
    """Serve until a signal."""
    async with FakeAri(f"PJSIP/{number}" for number in range(calls)) as asterisk:
        for number in range(calls):
            legs = [f"17.{number}", f"18.{number}"]
            for leg in legs:
                asterisk.channels[leg] = FakeChannel(leg, f"PJSIP/{number}", state="Up")
            asterisk.bridges[f"b{number}"] = FakeBridge(f"b{number}", "mixing", channels=legs)
        print(asterisk.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

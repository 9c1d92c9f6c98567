"""Coverage-guided fuzzing of the SIP syntax: `python tests/fuzz/fuzz_sip.py -max_total_time=60`.

Options are libFuzzer's. The seeds in `corpus_sip/` and the tokens in `sip.dict` are always used.
Only the input that broke something is written to a file; `-artifact_prefix=` says where.
"""

import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped]  # ships no types

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))  # the checkout, whether it is installed or not

with atheris.instrument_imports(  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    include=["fastagi_server.sip"]
):
    from sip_target import run_stream


def main() -> None:
    """Fuzz until the options say stop; libFuzzer ends the process."""
    seeds = ",".join(str(path) for path in sorted((HERE / "corpus_sip").iterdir()))
    defaults = [f"-seed_inputs={seeds}", f"-dict={HERE / 'sip.dict'}", "-max_len=2048"]
    atheris.Setup([sys.argv[0], *defaults, *sys.argv[1:]], run_stream)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

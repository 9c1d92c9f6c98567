"""Describes the machine that a report was made on, without naming it."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

_PACKAGES = (
    "aioagi-ik",
    "aiohttp",
    "httptools",
    "httpx",
    "httpx-aiohttp",
    "panoramisk",
    "requests",
    "uvloop",
)


def describe() -> list[tuple[str, str]]:
    """Name and value of what the figures depend on."""
    return [
        ("processor", _first("/proc/cpuinfo", "model name")),
        ("cores", str(len(os.sched_getaffinity(0)))),
        ("memory", f"{int(_first('/proc/meminfo', 'MemTotal').split()[0]) // 1024} MiB"),
        ("kernel", f"{platform.system()} {platform.release().partition('-')[0]}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        *((package, version(package)) for package in _PACKAGES),
    ]


def _first(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"

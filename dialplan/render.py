"""Render what is installed on the PBX: typed settings in, file texts out.

Standard library only and no I/O but `write`, so that a PBX or the sandbox needs nothing but Python.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
PROMPTS = HERE / "prompts"
"""Folder of the prompts (8 kHz mono wav): installed as `leaseline/` in Asterisk's sounds folder."""

DIALPLAN_VERSION = "2"
"""The contract of variables and user events with the router; the global LL_DIALPLAN says it to `doctor`."""
ANSWERED_VERSIONS = frozenset({"1"})
"""Former contracts that the router still understands."""

_TARGET = r"PJSIP/[+]?[A-Za-z0-9_.-]+(@[A-Za-z0-9_.-]+)?"
DIAL_STRING = f"^{_TARGET}(&{_TARGET})*$"
"""What may be dialed; the same text is a Python pattern and Asterisk's REGEX() (POSIX extended)."""

_DIAL_STRING = re.compile(DIAL_STRING.replace("$", r"\Z"))
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_PATH = re.compile(r"/[A-Za-z0-9_./-]+\Z")
_SECRET = re.compile(r"[!-:<-~]{8,128}\Z")  # printable, no space, no `;` (a comment in Asterisk's files)
_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}\Z")
_CONTACT = re.compile(r"sip:[A-Za-z0-9+_.-]+@[A-Za-z0-9.-]+(:[0-9]{1,5})?\Z")
_TOKEN = re.compile(r"@([A-Z_]+)@")


class DialplanError(ValueError):
    """The dialplan cannot be rendered from these settings."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Trunk:
    """A carrier: calls from the address (or network) `match` enter at leaseline-in; `contact` rings it."""

    name: str
    match: str
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """A phone at a fixed contact, `sip:NAME@HOST:PORT`."""

    name: str
    contact: str


@dataclass(frozen=True, slots=True)
class DialplanSettings:
    """What differs from one PBX to the next.

    `fallback` is the dial string of last resort. The five numbering fields are the country's plan as
    digits: calling code, trunk prefix (may be empty), international prefix (may be empty), and the
    shortest and longest national number. `recordings` is a folder as Asterisk sees it.
    """

    fallback: str
    ami_secret: str
    astdb_secret: str
    agi_url: str = "agi://127.0.0.1:4573"
    agi_seconds: float = 1.5
    fallback_seconds: int = 60
    fallback_record: bool = False
    recordings: str = "/var/spool/asterisk/monitor/leaseline"
    country_code: str = "44"
    trunk_prefix: str = "0"
    idd: str = "00"
    nsn_min: int = 9
    nsn_max: int = 10
    journal: str = "leaseline.csv"
    witness: bool = True
    ami_user: str = "leaseline"
    astdb_user: str = "leaseline-astdb"
    ami_permit: str = "127.0.0.1/255.255.255.255"
    transport: str = "transport-udp"
    trunks: tuple[Trunk, ...] = ()
    agents: tuple[Agent, ...] = ()


def is_dial_string(text: str) -> bool:
    """Whether `text` may be dialed: one or more PJSIP targets joined by `&`, no options, no empty number."""
    return _DIAL_STRING.match(text) is not None


def _agi_problem(url: str) -> str | None:
    """Why `url` cannot be asked; `hagi` finds its hosts by SRV records and takes no port."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        return f"agi_url: {url!r}: {error}"
    if parts.scheme not in {"agi", "hagi"} or not re.fullmatch(r"[A-Za-z0-9.:-]+", host):
        return f"agi_url: {url!r} is not agi://HOST[:PORT] or hagi://HOST"
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        return f"agi_url: {url!r} has more than a host and a port; the dialplan adds the path itself"
    if parts.scheme == "hagi" and port is not None:
        return f"agi_url: {url!r} has a port, which turns hagi's SRV look-up off"
    return None


def _problems(s: DialplanSettings) -> Iterator[str]:
    """Every reason why the settings cannot be rendered, each beginning with the field's name."""
    if (problem := _agi_problem(s.agi_url)) is not None:
        yield problem
    if not 0.2 <= s.agi_seconds <= 10:
        yield f"agi_seconds: {s.agi_seconds} is not within 0.2 and 10"
    if not is_dial_string(s.fallback):
        yield (
            f"fallback: {s.fallback!r} is not a dial string such as PJSIP/agent1, "
            "PJSIP/agent1&PJSIP/agent2 or PJSIP/+441134960001@trunk"
        )
    if not 1 <= s.fallback_seconds <= 600:
        yield f"fallback_seconds: {s.fallback_seconds} is not within 1 and 600"
    if not _PATH.match(s.recordings) or ".." in s.recordings.split("/"):
        yield f"recordings: {s.recordings!r} is not an absolute path of letters, digits and _ . - /"
    if not re.fullmatch(r"[1-9][0-9]{0,2}", s.country_code):
        yield f"country_code: {s.country_code!r} is not a calling code of one to three digits"
    for name, value in (("trunk_prefix", s.trunk_prefix), ("idd", s.idd)):
        if not re.fullmatch(r"[0-9]{0,5}", value):
            yield f"{name}: {value!r} is not up to five digits"
    if not 1 <= s.nsn_min <= s.nsn_max <= 15:
        yield f"nsn_min, nsn_max: {s.nsn_min} and {s.nsn_max} are not lengths within 1 and 15 in order"
    if not _FILE_NAME.match(s.journal):
        yield f"journal: {s.journal!r} is not a plain file name"
    yield from _ami_problems(s)
    yield from _pjsip_problems(s)


def _ami_problems(s: DialplanSettings) -> Iterator[str]:
    for name, value in (("ami_user", s.ami_user), ("astdb_user", s.astdb_user)):
        if not _NAME.match(value) or value == "general":
            yield f"{name}: {value!r} is not a name of letters, digits and _ . - (and not `general`)"
    if s.ami_user == s.astdb_user:
        yield f"astdb_user: {s.astdb_user!r} is the ami_user too; it has other rights and must be another"
    for name, value in (("ami_secret", s.ami_secret), ("astdb_secret", s.astdb_secret)):
        if not _SECRET.match(value):  # the value itself is never told
            yield f"{name}: not 8 to 128 printable characters without space and semicolon"
    try:
        ipaddress.ip_network(s.ami_permit, strict=False)
    except ValueError as error:
        yield f"ami_permit: {error}"


def _pjsip_problems(s: DialplanSettings) -> Iterator[str]:
    names: set[str] = set()
    peers: tuple[Trunk | Agent, ...] = (*s.trunks, *s.agents)
    for peer in peers:
        if not _NAME.match(peer.name):
            yield f"{type(peer).__name__.lower()} {peer.name!r}: not a name of letters, digits and _ . -"
        if peer.name in names:
            yield f"{type(peer).__name__.lower()} {peer.name!r}: the name is taken already"
        names.add(peer.name)
        if peer.contact is not None and not _CONTACT.match(peer.contact):
            yield f"{peer.name}: contact {peer.contact!r} is not sip:NAME@HOST[:PORT]"
    for trunk in s.trunks:
        try:
            ipaddress.ip_network(trunk.match)
        except ValueError as error:
            yield f"{trunk.name}: match: {error}"
    if not _NAME.match(s.transport):
        yield f"transport: {s.transport!r} is not a name of letters, digits and _ . -"


def _tokens(s: DialplanSettings) -> Mapping[str, str]:
    """The value of each `@TOKEN@` in the templates."""
    return {
        "DIAL_STRING": DIAL_STRING,
        "LL_DIALPLAN": DIALPLAN_VERSION,
        "LL_AGI": s.agi_url,
        "LL_AGI_SECONDS": f"{s.agi_seconds:g}",
        "LL_FALLBACK": s.fallback,
        "LL_FALLBACK_SECONDS": str(s.fallback_seconds),
        "LL_FALLBACK_RECORD": "1" if s.fallback_record else "",
        "LL_REC_DIR": s.recordings.rstrip("/"),
        "LL_CC": s.country_code,
        "LL_TRUNK_PREFIX": s.trunk_prefix,
        "LL_IDD": s.idd,
        "LL_NSN_MIN": str(s.nsn_min),
        "LL_NSN_MAX": str(s.nsn_max),
        "JOURNAL": s.journal,
        "WITNESS": "yes" if s.witness else "no",
        "AMI_USER": s.ami_user,
        "AMI_SECRET": s.ami_secret,
        "AMI_PERMIT": s.ami_permit,
        "ASTDB_USER": s.astdb_user,
        "ASTDB_SECRET": s.astdb_secret,
        "TRANSPORT": s.transport,
    }


def _peers(s: DialplanSettings) -> Iterator[str]:
    """PJSIP sections of the trunks and agents."""
    for trunk in s.trunks:
        aor = f"aors={trunk.name}\n" if trunk.contact else ""
        yield f"\n[{trunk.name}](leaseline-trunk)\n{aor}"
        yield f"[{trunk.name}]\ntype=identify\nendpoint={trunk.name}\nmatch={trunk.match}\n"
    for agent in s.agents:
        yield f"\n[{agent.name}](leaseline-agent)\naors={agent.name}\n"
    peers: tuple[Trunk | Agent, ...] = (*s.trunks, *s.agents)
    for peer in peers:
        if peer.contact:
            yield f"[{peer.name}]\ntype=aor\ncontact={peer.contact}\n"


def render(settings: DialplanSettings) -> dict[str, str]:
    """The text of each file by its name; raises DialplanError that names every bad field."""
    if problems := list(_problems(settings)):
        raise DialplanError(problems)
    tokens = _tokens(settings)
    texts = {
        name: _TOKEN.sub(lambda found: tokens[found[1]], (HERE / source).read_text(encoding="utf-8"))
        for name, source in (
            ("leaseline.conf", "leaseline.conf"),
            ("cel.conf", "cel.conf"),
            ("cel_custom.conf", "cel_custom.conf"),
            ("leaseline-manager.conf", "manager.conf"),
            ("leaseline-pjsip.conf", "pjsip.conf"),
        )
    }
    texts["leaseline-pjsip.conf"] += "".join(_peers(settings))
    return texts


def write(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """Write rendered texts into `folder` (made when missing), readable by the owner and group only: they
    hold secrets. Each file is replaced whole, and left alone when it already has this text."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in texts.items():
        path = folder / name
        written.append(path)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        draft = path.with_name(f".{name}.new")
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o640)
        draft.replace(path)
    return written

"""What evidence is judged by: roots, policy, time, nonce and what else the caller gives. Nothing of it is in the bundle."""

import hashlib
import json
import os
import re
import time
from datetime import datetime

from der import Malformed
from disk import base64_text, read_file
from documents import POLICY, ROLES, SEEN, read_roots
from json_shape import base64url_bytes, closed, integer, list_of, one_of, read_json, text

MAX_INPUT = 1 << 20
OPTIONS = (
    "--roots", "--roots-sha256", "--policy", "--trust", "--nonce", "--at", "--owner-key", "--grant", "--grant-signature",
    "--live", "--seen",
)
SHA256 = "[0-9a-f]{64}"
SELECTION = closed({"hash": one_of("sha256", "sha384"), "pcrs": list_of(integer(0, 23), 1, 24)})
TRUST = closed({"rootSets": list_of(text(SHA256, 64, "a SHA-256"), 0, 64)}, {"pcrSelection": SELECTION})


class Misused(Exception):
    """Wrong arguments, or a file of the caller's that cannot be used."""


def read_arguments(arguments):
    """Options and their values in turn, each option once, then the folder."""
    *pairs, folder = arguments
    options, values = pairs[::2], pairs[1::2]
    for option in options:
        if option not in OPTIONS or options.count(option) > 1:
            raise Misused(f"{option}: not an option, or there twice; see verify.sh --help")
    return {"folder": folder, **dict.fromkeys(OPTIONS), **dict(zip(options, values))}


def at_time(given):
    if given is None:
        return int(time.time())
    if re.fullmatch("[0-9]{1,12}", given):
        return int(given)
    try:
        return int(datetime.strptime(given + "+0000", "%Y-%m-%dT%H:%M:%SZ%z").timestamp())
    except ValueError:
        raise Misused(f"--at {given}: write 2026-01-31T12:00:00Z or Unix seconds") from None


def nonce_bytes(given):
    if given is None:
        return None
    if re.fullmatch("([0-9a-f]{2}){16,64}", given):
        return bytes.fromhex(given)
    try:
        return base64url_bytes(16, 64)(given, "--nonce")
    except Malformed as problem:
        raise Misused(str(problem)) from None


def sha256_hex(given, what):
    if given is not None and not re.fullmatch(SHA256, given):
        raise Misused(f"{what}: 64 lower-case hexadecimal digits are expected")
    return given


def roots_fingerprint(roots):
    """SHA-256 of the one text of a set of roots (RFC 8785), whatever file it was read from."""
    members = {role: [base64_text(der) for der in roots[role]] for role in ROLES}
    return hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def described(name, given, content):
    """What somebody compares before they believe the verdict."""
    if content is None:
        return f"no {name}"
    return f"{name} {hashlib.sha256(content).hexdigest()}, {'of the folder' if given is None else 'given'}"


class Inputs:
    def __init__(self, arguments):
        given = read_arguments(arguments)
        self.folder = given["folder"]
        self.now = at_time(given["--at"])
        self.nonce = nonce_bytes(given["--nonce"])
        self.owner_key = sha256_hex(given["--owner-key"], "--owner-key")
        roots = self._file(given["--roots"], "roots.json")
        self.roots = self._read(read_roots, roots, "roots")
        self.roots_sha256 = roots_fingerprint(self.roots)
        if sha256_hex(given["--roots-sha256"], "--roots-sha256") not in (None, self.roots_sha256):
            raise Misused(f"the roots have the SHA-256 {self.roots_sha256}, not the one given")
        policy = self._file(given["--policy"], "policy.json")
        self.sources = [
            f"roots {self.roots_sha256}, {'of the folder' if given['--roots'] is None else 'given'}",
            described("policy", given["--policy"], policy),
        ]
        self.policy = self._read(lambda content: read_json(content, POLICY, MAX_INPUT), policy, "policy")
        self._trust(given)
        self.live = self._file(given["--live"])
        self.grant, self.grant_signature = self._file(given["--grant"]), self._file(given["--grant-signature"])
        if (self.grant is None) != (self.grant_signature is None):
            raise Misused("--grant and --grant-signature go together")
        seen = self._file(given["--seen"])
        self.seen = [] if seen is None else self._read(lambda content: read_json(content, SEEN, MAX_INPUT), seen, "--seen")

    def _trust(self, given):
        """The cluster's PCR selection, and the sets of roots that a sidecar may have started with: those in force and those listed."""
        self.root_sets, self.selection = {self.roots_sha256}, None
        # Beside roots of the caller's own, the folder has no say in what else the cluster is.
        default = "trust.json" if given["--roots"] is None else None
        content = self._file(given["--trust"], default, optional=True)
        self.sources.append(described("trust", given["--trust"], content))
        if content is None:
            return
        trust = self._read(lambda document: read_json(document, TRUST, MAX_INPUT), content, "trust")
        self.root_sets |= set(trust["rootSets"])
        if "pcrSelection" in trust:
            self.selection = (trust["pcrSelection"]["hash"], trust["pcrSelection"]["pcrs"])

    def _file(self, path, default=None, optional=False):
        """A file that was given, or the one of this name in the folder."""
        if path is None and default is not None:
            path = os.path.join(self.folder, default)
            if not os.path.lexists(path):
                if optional:
                    return None
                raise Misused(f"there is no {default} in the folder: give --{default.partition('.')[0]} FILE")
        return None if path is None else read_file(path, MAX_INPUT)

    def _read(self, read, content, what):
        try:
            return read(content)
        except Malformed as problem:
            raise Misused(f"{what}: {problem}") from None

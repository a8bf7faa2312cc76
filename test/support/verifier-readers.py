"""What the readers of verify.sh make of bytes: lines of `kind base64` in, lines of `1` (accepted) or `0` out. One process for thousands."""

import base64
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../client/library/bundle/export/verifier"))
from certificate import key_kind, read_certificate
from der import Malformed
from documents import GRANT, POLICY, read_bundle, read_statement
from json_shape import read_json
from tpm import public_spki, read_attest, read_extra_data, read_public, read_signature


def spki(content):
    return public_spki(read_public(content))


def known_key(content):
    if key_kind(content) is None:
        raise Malformed("no key of the table")


READERS = {
    "certificate": read_certificate,
    "key": known_key,
    "attest": read_attest,
    "extra-data": read_extra_data,
    "signature": read_signature,
    "public": read_public,
    "spki": spki,
    "statement": read_statement,
    "bundle": read_bundle,
    "grant": lambda content: read_json(content, GRANT, 4096),
    "policy": lambda content: read_json(content, POLICY, 1 << 20),
}

for line in sys.stdin:
    kind, text = line.split()
    try:
        READERS[kind](base64.b64decode(text))
        print(1)
    except Malformed:
        print(0)

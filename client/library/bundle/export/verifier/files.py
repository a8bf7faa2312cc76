"""Files of an export, compared with what bundle.json and SHA256SUMS say."""

import hashlib
import json
import os
import re

from der import Malformed, require
from disk import base64_text, pem, read_file
from tpm import pcr_values_file, public_spki, read_attest, read_public

MAX_FILE = 1 << 20


def pretty(value):
    return (json.dumps(value, indent=2) + "\n").encode()


def expected(bundle):
    """The files that follow from a bundle, each in its standard format."""
    shown = bundle["pcrValues"]
    values = [{"index": value["index"], "digest": value["digest"].hex()} for value in shown["values"]]
    proof = {
        "blinder": base64_text(bundle["blinder"]),
        "leafIndex": bundle["leafIndex"],
        "leafCount": bundle["leafCount"],
        "path": [base64_text(each) for each in bundle["path"]],
    }
    bitmap = bytearray(3)
    for value in shown["values"]:
        bitmap[value["index"] // 8] |= 1 << value["index"] % 8
    files = {
        "statement.json": bundle["statement"],
        "proof.json": pretty(proof),
        "certificate.der": bundle["certificateChain"][0],
        "certificate.pem": pem("CERTIFICATE", bundle["certificateChain"][:1]),
        "certificate-chain.pem": pem("CERTIFICATE", bundle["certificateChain"]),
        "attestation-key-certificate-chain.pem": pem("CERTIFICATE", bundle["attestationKeyCertificateChain"]),
        "attest.bin": bundle["attest"],
        "signature.bin": bundle["signature"],
        "attestation-key.tpmt": bundle["attestationKeyPublic"],
        "pcr-values.json": pretty({"hash": shown["bank"], "values": values}),
        "pcr-values.bin": pcr_values_file(
            [(shown["bank"], bytes(bitmap))], [value["digest"] for value in shown["values"]]
        ),
        "event-log.bin": bundle["eventLog"],
    }
    try:
        files["qualifying-data.hex"] = (read_attest(bundle["attest"])["extraData"].hex() + "\n").encode()
    except Malformed:
        pass
    try:
        files["attestation-key.pem"] = pem("PUBLIC KEY", [public_spki(read_public(bundle["attestationKeyPublic"]))])
    except Malformed:
        pass
    return files


def listed(folder):
    """Names and digests of SHA256SUMS, if it is there."""
    path = os.path.join(folder, "SHA256SUMS")
    if not os.path.lexists(path):
        return {}
    lines = read_file(path, 65536).decode("ascii", "replace").splitlines()
    found = [re.fullmatch(r"([0-9a-f]{64})  ([A-Za-z0-9_-]+(?:[./][A-Za-z0-9_-]+)*)", line) for line in lines]
    require(all(found) and len(found) <= 64, "SHA256SUMS has a line that it may not have")
    return {line[2]: line[1] for line in found}


def differing(folder, bundle):
    """Files of the folder that are not what SHA256SUMS or bundle.json say; those that are not there are not missed."""
    wrong = []
    for name, digest in listed(folder).items():
        try:
            content = read_file(os.path.join(folder, name), MAX_FILE)
        except OSError:
            content = None
        if content is None or hashlib.sha256(content).hexdigest() != digest:
            wrong.append(name)
    for name, content in expected(bundle).items():
        path = os.path.join(folder, name)
        if name not in wrong and os.path.lexists(path) and read_file(path, MAX_FILE) != content:
            wrong.append(name)
    return wrong

"""The JSON documents of docs/evidence-format.md: bundle, statement, policy, roots, grant; and what was seen before."""

import re

from der import require
from json_shape import (
    MAX_SAFE, base64_bytes, base64url_bytes, boolean, closed, expect, integer, list_of, one_of, read_json, text,
)

HEX = text("[0-9a-f]{64}", 64, "a SHA-256 in lower-case hex")
LABEL = text("[a-z0-9]([-a-z0-9]*[a-z0-9])?", 63, "a DNS label")
SUBDOMAIN = text("[a-z0-9]([-a-z0-9.]*[a-z0-9])?", 253, "a DNS name")
UPSTREAM = text("[\x21-\x7e]+", 256, "an upstream")
CERTIFICATE = base64_bytes(1, 8192)
STRUCTURE = base64_bytes(1, 1024)
BANKS = {0x000B: ("sha256", 32), 0x000C: ("sha384", 48)}

BUNDLE = closed(
    {
        "statement": base64_bytes(1, 16384),
        "blinder": base64_bytes(32, 32),
        "leafCount": integer(1, 65536),
        "attest": STRUCTURE,
        "signature": STRUCTURE,
        "pcrValues": closed(
            {
                "hashAlgorithm": integer(1, 0xFFFF),
                "values": list_of(closed({"digest": base64_bytes(1, 48)}, {"index": integer(1, 23)}), 1, 24),
            }
        ),
        "attestationKeyPublic": STRUCTURE,
        "attestationKeyCertificateChain": list_of(CERTIFICATE, 1, 4),
    },
    {
        "certificateChain": list_of(CERTIFICATE, 1, 4),
        "leafIndex": integer(1, 65535),
        "path": list_of(base64_bytes(32, 32), 1, 16),
        "eventLog": base64_bytes(1, 131072),
        "endpoint": text("[\x21-\x7e]+", 261, "host and port"),
        "serverName": text("[\x21-\x7e]+", 253, "a server name"),
    },
)


def read_bundle(content):
    """A bundle in its proto3 JSON; what is left out has its default."""
    bundle = read_json(content, BUNDLE, 393216)
    bundle = {"leafIndex": 0, "path": [], "eventLog": b"", "endpoint": "", "serverName": "", **bundle}
    require("certificateChain" in bundle, "there is no certificate chain")
    pcrs = bundle["pcrValues"]
    require(pcrs["hashAlgorithm"] in BANKS, "PCR values of another bank than SHA-256 and SHA-384")
    pcrs["bank"], size = BANKS[pcrs["hashAlgorithm"]]
    indices = [value.setdefault("index", 0) for value in pcrs["values"]]
    require(indices == sorted(set(indices)), "PCR values that are not in ascending order")
    require(all(len(value["digest"]) == size for value in pcrs["values"]), "PCR values of another size than the bank's")
    return bundle


STATEMENT = closed(
    {
        "eat_profile": one_of("tag:enclave-licensing.dev,2026:statement/1"),
        "eat_nonce": base64url_bytes(16, 64),
        "iat": integer(0, 253402300799),
        "sub": text("(?s:spiffe:.*)", 600, "a SPIFFE ID"),
        "cnf": closed({}, {"x5t#S256": base64url_bytes(32, 32), "spki#S256": base64url_bytes(32, 32)}),
        "pod": closed(
            {
                "namespace": LABEL,
                "name": SUBDOMAIN,
                "uid": text("[0-9A-Za-z]([-0-9A-Za-z]*[0-9A-Za-z])?", 64, "a pod UID"),
                "serviceAccount": SUBDOMAIN,
                "node": SUBDOMAIN,
                "enclave": SUBDOMAIN,
                "images": list_of(
                    closed(
                        {
                            "container": LABEL,
                            "image": text("[a-z0-9][-a-z0-9._/:]*@sha256:[0-9a-f]{64}", 512, "an image by digest"),
                        }
                    ),
                    1,
                    64,
                ),
                "specSha256": HEX,
            }
        ),
        "access": closed(
            {"mode": one_of("tcp", "http"), "upstream": UPSTREAM, "auth": one_of("mtls", "jwt"), "rootsSha256": HEX},
            {"ownerKeySha256": HEX},
        ),
    }
)
DNS_LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
DNS_NAME = rf"{DNS_LABEL}(?:\.{DNS_LABEL})*"
SPIFFE_ID = re.compile(f"spiffe://({DNS_NAME})/ns/({DNS_LABEL})/sa/({DNS_NAME})")


def spiffe_id(value):
    """Trust domain, namespace and service account, or None."""
    found = SPIFFE_ID.fullmatch(value) if len(value) <= 600 else None
    return found.groups() if found and len(found[1]) <= 253 and len(found[3]) <= 253 else None


def read_statement(content):
    statement = read_json(content, STATEMENT, 16384)
    pod, access = statement["pod"], statement["access"]
    require(len(statement["cnf"]) == 1, "cnf has exactly one member")
    identity = spiffe_id(statement["sub"])
    require(identity and identity[1:] == (pod["namespace"], pod["serviceAccount"]), "sub is not the SPIFFE ID of the pod")
    require(len({image["container"] for image in pod["images"]}) == len(pod["images"]), "a container that is there twice")
    require("ownerKeySha256" in access or access["auth"] == "jwt", "no owner key, and auth is mtls")
    return statement


def accepted(item, maximum=256):
    """The list `[any]`, which is None here, or a list of items that is not empty."""
    items = list_of(item, 1, maximum)

    def shape(value, at):
        expect(isinstance(value, list) and (len(value) == 1 or "any" not in value), at, 'a list, "any" only alone in it,')
        return None if value == ["any"] else items(value, at)

    return shape


def pcr_sets(bank, digits):
    digest = accepted(text(f"[0-9a-f]{{{digits}}}", digits, f"a {bank} digest in lower-case hex"), 64)

    def values(value, at):
        expect(isinstance(value, dict) and 1 <= len(value) <= 16, at, "1 to 16 PCRs")
        expect(all(re.fullmatch("0|[1-9]|1[0-5]", pcr) for pcr in value), at, "PCRs 0 to 15")
        return {int(pcr): digest(each, f"{at}.{pcr}") for pcr, each in value.items()}

    name = text("[!-~]([ -~]*[!-~])?", 128, "a name in printable ASCII")
    sets = list_of(closed({"name": name, "values": values}), 1, 32)
    return closed({"accept": one_of("listed"), "hash": one_of(bank), "sets": sets})


def pcr_policy(value, at):
    """None for any PCR values."""
    expect(isinstance(value, dict), at, "an object")
    if value.get("accept") == "any":
        closed({"accept": one_of("any")})(value, at)
        return None
    listed = pcr_sets("sha384", 96) if value.get("hash") == "sha384" else pcr_sets("sha256", 64)
    pcrs = listed(value, at)
    expect(len({tuple(sorted(each["values"])) for each in pcrs["sets"]}) == 1, at, "the same PCRs in every set")
    return pcrs


POLICY = closed(
    {
        "eks": accepted(HEX),
        "pcrs": pcr_policy,
        "roots": accepted(HEX),
        "namespaces": accepted(SUBDOMAIN),
        "serviceAccounts": accepted(SUBDOMAIN),
        "enclaves": accepted(SUBDOMAIN),
        "images": accepted(text("([a-z0-9][-a-z0-9._/:]*@)?sha256:[0-9a-f]{64}", 512, "sha256:<64 hex>, or a name with it")),
        "specSha256": accepted(HEX),
        "modes": accepted(one_of("tcp", "http")),
        "auth": accepted(one_of("mtls", "jwt")),
        "upstream": accepted(UPSTREAM),
        "ownerKeys": accepted(HEX),
        "maxAge": integer(1, 86400),
    },
    {"allowEmulatedTpm": boolean},
)
ROLES = ("system", "enclaves", "users", "attestation-keys")
ROOTS = closed({role: list_of(CERTIFICATE, 0, 8) for role in ROLES})


def read_roots(content):
    """roots.json: DER by role. A role without a root trusts nobody."""
    roots = read_json(content, ROOTS, 65536)
    return {role: roots[role] for role in ROLES}


GRANT = closed(
    {
        "v": one_of("enclave-grant/1"),
        "enclave": text("[\x21-\x7e]+", 253, "a name"),
        "ownerKey": base64_bytes(1, 1024),
        "keySha256": HEX,
        "user": text("[^\0-\x1f\x7f-\x9f]+", 128, "a user name"),
        "notAfter": integer(0, 253402300799),
    }
)
COUNT = integer(0, MAX_SAFE)
SEEN = list_of(
    closed(
        {
            "node": text("(?s:.*)", 253, "a node"),
            "ekSha256": HEX,
            "akName": text("[0-9a-f]*", 200, "a name"),
            "resetCount": COUNT,
            "restartCount": COUNT,
            "clock": COUNT,
        }
    ),
    0,
    4096,
)

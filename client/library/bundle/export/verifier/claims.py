"""The statement, once the quote was found to cover it: freshness, bindings, and the claims against the policy."""

import hashlib
import struct

from certificate import key_kind, read_certificate
from chain import NOTHING
from der import Malformed
from documents import GRANT, read_statement
from json_shape import read_json

CLOCK_SKEW_SECONDS = 60


def accepts(accepted, value):
    return accepted is None or value in accepted


def image_accepted(images, image):
    return accepts(images, image) or accepts(images, image.partition("@")[2])


def freshness(output, statement, inputs):
    nonce, age = statement["eat_nonce"], inputs.now - statement["iat"]
    if inputs.nonce is None:
        output.said("nonce", None, "no nonce was given, so this may be a recording")
    else:
        output.said("nonce", nonce == inputs.nonce, nonce.hex())
    output.said("age", -CLOCK_SKEW_SECONDS <= age <= inputs.policy["maxAge"], f"{age} s")


def bindings(output, statement, bundle):
    """For each binding None when a certificate cannot be read: the check is not reached then."""
    pod, access = statement["pod"], statement["access"]
    try:
        leaf = read_certificate(bundle["certificateChain"][0])
        node = read_certificate(bundle["attestationKeyCertificateChain"][0])["commonName"]
    except Malformed:
        return
    fingerprint = hashlib.sha256(leaf["der"]).digest()
    output.said("confirmation", statement["cnf"] == {"x5t#S256": fingerprint}, fingerprint.hex())
    binding = leaf.get("enclaveBinding")
    if binding is None:
        return
    output.said("node", node == pod["node"] == binding["node"], pod["node"])
    certified = [binding["podUid"], binding["enclave"], *leaf.get("names", NOTHING)["uri"]]
    output.said("pod", certified == [pod["uid"], pod["enclave"], statement["sub"]], ", ".join(certified))
    owner = access.get("ownerKeySha256")
    output.said("owner-key", binding["ownerKeySha256"] == owner, owner or "none")


def owner(output, statement, inputs):
    """The owner key is the verifier's, or signed a grant for the verifier's key; without a key the policy's list counts."""
    key, mine = statement["access"].get("ownerKeySha256"), inputs.owner_key
    if mine is None:
        output.said("owner", accepts(inputs.policy["ownerKeys"], key or "none"), key or "none")
    elif key == mine:
        output.said("owner", True, mine)
    elif key is None and statement["access"]["auth"] == "jwt":
        output.said("owner", None, "there is no owner key; auth is jwt, so the front is trusted for who gets in")
    elif inputs.grant is None:
        output.said("owner", False, key or "none")
    else:
        granted(output, statement, inputs, key)


def granted(output, statement, inputs, key):
    try:
        grant = read_json(inputs.grant, GRANT, 4096)
    except Malformed as problem:
        output.said("owner", False, f"the grant: {problem}")
        return
    by_owner = key is not None and hashlib.sha256(grant["ownerKey"]).hexdigest() == key
    mine = grant["enclave"] == statement["pod"]["enclave"] and grant["keySha256"] == inputs.owner_key
    good = by_owner and mine and inputs.now <= grant["notAfter"] and key_kind(grant["ownerKey"]) in ("p256", "p384")
    output.said("owner", good, f"a grant by {key}")
    output.bytes("grant.message", b"enclave-grant/1" + struct.pack(">I", len(inputs.grant)) + inputs.grant)
    output.bytes("grant.signature", inputs.grant_signature)
    output.pem("grant.key.pem", "PUBLIC KEY", grant["ownerKey"])


def judge(output, bundle, inputs):
    try:
        statement = read_statement(bundle["statement"])
    except Malformed as problem:
        output.said("statement", False, str(problem))
        return
    output.said("statement", True, f"{len(bundle['statement'])} bytes")
    freshness(output, statement, inputs)
    bindings(output, statement, bundle)
    pod, access, policy = statement["pod"], statement["access"], inputs.policy
    output.said("namespace", accepts(policy["namespaces"], pod["namespace"]), pod["namespace"])
    output.said("service-account", accepts(policy["serviceAccounts"], pod["serviceAccount"]), pod["serviceAccount"])
    output.said("enclave", accepts(policy["enclaves"], pod["enclave"]), pod["enclave"])
    refused = [each["image"] for each in pod["images"] if not image_accepted(policy["images"], each["image"])]
    output.said("images", not refused, ", ".join(refused or (each["image"] for each in pod["images"])))
    output.said("spec", accepts(policy["specSha256"], pod["specSha256"]), pod["specSha256"])
    good = accepts(policy["modes"], access["mode"]) and accepts(policy["auth"], access["auth"])
    output.said("access", good and accepts(policy["upstream"], access["upstream"]), f"{access['mode']}; {access['auth']}; {access['upstream']}")
    owner(output, statement, inputs)
    output.said("roots", access["rootsSha256"] in inputs.root_sets, access["rootsSha256"])

"""From the bundle to what the tools need, and what they cannot say: everything that does not need the statement."""

import hashlib
import struct

from certificate import key_kind, read_certificate
from chain import chain_problem, root_counts
from der import Malformed, require
from tpm import (
    ECC_KEY, ECDSA, GOOD_HASHES, RSA_KEY, RSAPSS, RSASSA, SCHEMES, names, pcr_values_file, public_spki, read_attest,
    read_extra_data, read_public, read_signature, selected,
)

WANTED = {"restricted": True, "sign": True, "decrypt": False, "fixedTPM": True, "fixedParent": True, "sensitiveDataOrigin": True}
SIGNING = {RSA_KEY: (RSASSA, RSAPSS), ECC_KEY: (ECDSA,)}
COORDINATES = {"p256": 32, "p384": 48}
FIRST_RESETTABLE = 16


def readable(der):
    """A root that cannot be read trusts nobody."""
    try:
        return read_certificate(der)
    except Malformed:
        return None


def read_chain(output, bundle, inputs, role, member, server_name=""):
    """Certificates and candidate roots as files for openssl; beside each root, what is wrong with the chain to it."""
    try:
        chain = [read_certificate(der) for der in bundle[member]]
    except Malformed as problem:
        return None, str(problem)
    for index, certificate in enumerate(chain):
        output.pem(f"{role}/{index}.pem", "CERTIFICATE", certificate["der"])
        output.bytes(f"{role}/{index}.tbs", certificate["tbs"])
        output.bytes(f"{role}/{index}.signature", certificate["signature"])
        output.text(f"{role}/{index}.algorithm", certificate["algorithm"])
    roots = [
        root
        for root in filter(None, map(readable, inputs.roots[role]))
        if root["subject"] == chain[-1]["issuer"] and root["keyKind"] and root_counts(root, inputs.policy["roots"])
    ]
    # The first one whose key signed is taken: of a root that was renewed with its key, the one that is valid now.
    roots.sort(key=lambda root: not root["notBefore"] <= inputs.now <= root["notAfter"])
    for number, root in enumerate(roots):
        output.pem(f"{role}/root.{number}.pem", "CERTIFICATE", root["der"])
        output.text(f"{role}/root.{number}.pem.problem", chain_problem(chain, root, role, inputs.now, server_name) or "")
    return chain[0], None if roots else f"no root of {role} that counts has the issuer's name"


def batch(output, bundle):
    """The leaf's input, and for each level whether the sibling stands left or right; the path's length is computed."""
    statement = bundle["statement"]
    output.bytes("leaf", b"\0enclave-leaf/1" + struct.pack(">I", len(statement)) + statement + bundle["blinder"])
    output.bytes("leaf-count", struct.pack(">I", bundle["leafCount"]))
    at, last, sides = bundle["leafIndex"], bundle["leafCount"] - 1, []
    fits = at <= last
    while fits and last > 0:
        if at ^ 1 <= last:
            sides.append("left" if at & 1 else "right")
        at, last = at >> 1, last >> 1
    if not fits or len(sides) != len(bundle["path"]):
        output.said("batch-proof", False, f"a path of {len(bundle['path'])} hashes does not fit")
        return
    for level, (side, sibling) in enumerate(zip(sides, bundle["path"])):
        output.bytes(f"path/{level}.{side}", sibling)
    output.said("batch-proof", True, f"leaf {bundle['leafIndex']} of {bundle['leafCount']}")


def read_key(output, bundle):
    """The attestation key, when its kind, size, scheme and name are of the closed tables."""
    try:
        key = read_public(bundle["attestationKeyPublic"])
        spki = public_spki(key)
    except Malformed as problem:
        output.said("attestation-key", False, f"TPMT_PUBLIC: {problem}")
        return None
    scheme, hashed = key["scheme"]
    kind = key_kind(spki)
    wrong = [name for name, wanted in WANTED.items() if (name in key["attributes"]) != wanted]
    if kind is None:
        problem = "not RSA 2048, 3072 or 4096, P-256 or P-384"
    elif scheme not in SIGNING[key["kind"]] or hashed not in GOOD_HASHES or key["symmetric"]:
        problem = "its scheme is no signature with SHA-256 or SHA-384"
    elif key["nameAlg"] not in GOOD_HASHES:
        problem = "its name is by neither SHA-256 nor SHA-384"
    else:
        problem = None
    text = problem or (f"wrong: {', '.join(wrong)}" if wrong else f"{kind}, {SCHEMES[scheme]} with {hashed}")
    output.said("attestation-key", problem is None and not wrong, text)
    if problem:
        return None
    output.pem("key.pem", "PUBLIC KEY", spki)
    output.text("scheme", SCHEMES[scheme])
    output.text("hash", hashed)
    return {"key": key, "spki": spki, "kind": kind, "scheme": SCHEMES[scheme], "hash": hashed}


def read_quote(output, bundle, signer):
    """The quote, when it is one and its signature is of the key's scheme."""
    try:
        output.text("extra-data", read_extra_data(bundle["attest"]).hex())
        output.said("qualifying-data", True, "the hash of the batch")
    except Malformed:
        # Nothing to compare with; why, is said below.
        pass
    try:
        attest = read_attest(bundle["attest"])
        require(attest["type"] == "quote", f"a {attest['type']} where a quote is expected")
        made = read_signature(bundle["signature"])
        require(signer is not None, "the key is not usable")
        require((made["scheme"], made["hash"]) == (signer["scheme"], signer["hash"]), "a signature of another scheme than the key's")
        require(made["coordinate"] <= COORDINATES.get(signer["kind"], 0), "a number of more bytes than the curve has")
    except Malformed as problem:
        output.said("quote-signature", False, str(problem))
        return None
    output.bytes("attest", bundle["attest"])
    output.bytes("signature.tpmt", bundle["signature"])
    output.bytes("signature", made["bytes"])
    output.said("quote-signature", True, f"a quote, signed with {made['scheme']} and {made['hash']}")
    return attest


def certified_key(output, bundle, inputs, spki):
    leaf, problem = read_chain(output, bundle, inputs, "attestation-keys", "attestationKeyCertificateChain")
    if problem is None and leaf["spki"] != spki:
        problem = "the certificate is of another key than the one that signed"
    output.said("attestation-key-chain", problem is None, problem or f"node {leaf['commonName']}")
    if problem is not None or "tpmTrust" not in leaf:
        return None
    trust, policy = leaf["tpmTrust"], inputs.policy
    accepted = policy["eks"] is None or trust["ekSha256"] in policy["eks"]
    emulated = trust["how"] == "emulated" and not policy.get("allowEmulatedTpm", False)
    output.said("tpm-trust", accepted and not emulated, f"{trust['how']}, EK {trust['ekSha256']}")
    return leaf


def pcrs(output, bundle, inputs, attest):
    policy, shown = inputs.policy["pcrs"], bundle["pcrValues"]
    wanted = [inputs.selection] if inputs.selection else []
    wanted += [(policy["hash"], sorted(each["values"])) for each in policy["sets"]] if policy else []
    banks = [(bank, selected(bitmap)) for bank, bitmap in attest["pcrSelect"]]
    good = len(banks) == 1 and banks[0][0] in GOOD_HASHES and banks[0][1] != []
    good = good and banks[0][1][-1] < FIRST_RESETTABLE and all(each == banks[0] for each in wanted)
    good = good and (shown["bank"], [value["index"] for value in shown["values"]]) == banks[0]
    output.said("pcr-selection", good, " + ".join(f"{bank}:{','.join(map(str, each))}" for bank, each in banks))
    if not good:
        return
    digests = [value["digest"] for value in shown["values"]]
    output.bytes("pcr-values", pcr_values_file(attest["pcrSelect"], digests))
    output.bytes("pcr-digests", b"".join(digests))
    output.text("pcr-digest", attest["pcrDigest"].hex())
    output.said("pcr-digest", True, attest["pcrDigest"].hex())
    if policy is None:
        output.said("pcr-values", None, "the policy accepts any PCR values")
        return

    def fits(values):
        accepted = [values[value["index"]] for value in shown["values"]]
        return all(each is None or digest.hex() in each for each, digest in zip(accepted, digests))

    fitting = [each["name"] for each in policy["sets"] if fits(each["values"])]
    output.said("pcr-values", bool(fitting), fitting[0] if fitting else "the values of no set of the policy")


def order_in_time(output, inputs, attest, leaf):
    node, ek = leaf["commonName"], leaf["tpmTrust"]["ekSha256"]
    before = [each for each in inputs.seen if each["node"] == node or each["ekSha256"] == ek]
    if before:
        output.said("known-tpm", all((each["node"], each["ekSha256"]) == (node, ek) for each in before), ek)
    else:
        output.said("known-tpm", None, f"the node {node} was not seen before")
    if attest is None:
        return
    reset, restart, clock = attest["resetCount"], attest["restartCount"], attest["clock"]

    def behind(each):
        if each["resetCount"] != reset:
            return reset < each["resetCount"]
        return restart < each["restartCount"] or clock < each["clock"]

    rebooted = before != [] and all(each["resetCount"] < reset for each in before)
    unsafe = not attest["safe"] and not (rebooted and inputs.nonce is not None)
    text = f"reset {reset}, restart {restart}, clock {clock} ms, safe = {'YES' if attest['safe'] else 'NO'}"
    output.said("clock", not any(map(behind, before)) and not unsafe and clock < 2**53, text)


def judge(output, bundle, inputs):
    leaf, problem = read_chain(output, bundle, inputs, "enclaves", "certificateChain", bundle["serverName"])
    output.said("certificate-chain", problem is None, problem or f"server name {bundle['serverName']}")
    if inputs.live is None:
        output.said("live-certificate", None, "no live certificate was given, so no connection is judged")
    elif leaf is not None:
        output.said("live-certificate", inputs.live == leaf["der"], hashlib.sha256(inputs.live).hexdigest())
    batch(output, bundle)
    signer = read_key(output, bundle)
    attest = read_quote(output, bundle, signer)
    if attest is not None:
        pcrs(output, bundle, inputs, attest)
    if signer is None:
        return
    _, qualified = names(signer["key"])
    if attest is not None:
        output.said("qualified-signer", qualified == attest["qualifiedSigner"], attest["qualifiedSigner"].hex())
    certified = certified_key(output, bundle, inputs, signer["spki"])
    if certified is not None:
        order_in_time(output, inputs, attest, certified)

"""The rules of a certificate chain (RFC 5280, 6.1, in our profile); who signed whom is asked of openssl."""

import hashlib
import re

from certificate import ARC
from documents import spiffe_id

ROLE_USAGE = {"system": ARC + ".6", "enclaves": ARC + ".4", "users": ARC + ".5", "attestation-keys": ARC + ".7"}
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
DIGITAL_SIGNATURE, KEY_CERT_SIGN = 0, 5
NOTHING = {"dns": [], "uri": [], "others": 0}


def dns_within(name, base):
    name, base = name.lower(), base.lower()
    return base == "" or name == base or name.endswith(base if base.startswith(".") else "." + base)


def uri_within(uri, base):
    found = re.match(r"[a-z][a-z0-9+.-]*://([^/?#:@]+)(?::[0-9]*)?(?:[/?#]|\Z)", uri, re.IGNORECASE | re.ASCII)
    if not found:
        return False
    host, base = found[1].lower(), base.lower()
    return host.endswith(base) and len(host) > len(base) if base.startswith(".") else host == base


def unpermitted(names, constraints):
    """Whether a name is not permitted, or excluded; kinds of names that cannot be judged let nothing pass."""
    permitted, excluded = constraints["permitted"], constraints["excluded"]
    if permitted["others"] + excluded["others"] > 0:
        return True
    for kind, within in (("dns", dns_within), ("uri", uri_within)):
        for name in names[kind]:
            if permitted[kind] and not any(within(name, base) for base in permitted[kind]):
                return True
            if any(within(name, base) for base in excluded[kind]):
                return True
            hostless = kind == "uri" and not re.match(r"[a-z][a-z0-9+.-]*://[^/?#:@]", name, re.IGNORECASE | re.ASCII)
            if hostless and excluded["uri"]:
                return True
    return False


def signer_problem(certificate, index, role):
    """What keeps a certificate above the leaf from signing for a role."""
    constraints = certificate.get("basicConstraints", {"ca": False, "pathLength": None})
    if not constraints["ca"] or KEY_CERT_SIGN not in certificate.get("keyUsage", []):
        return "a certificate is signed by one that is no CA"
    if constraints["pathLength"] is not None and constraints["pathLength"] < index - 1:
        return "more intermediates than a path length allows"
    if "usages" in certificate and ROLE_USAGE[role] not in certificate["usages"]:
        return "a CA of the chain may not issue for " + role
    return None


def leaf_problem(leaf, role, server_name):
    usages, names = leaf.get("usages", []), leaf.get("names", NOTHING)
    if leaf.get("basicConstraints", {}).get("ca"):
        return "the end-entity certificate is a CA"
    if DIGITAL_SIGNATURE not in leaf.get("keyUsage", []) or KEY_CERT_SIGN in leaf.get("keyUsage", []):
        return "its key usage is not digitalSignature"
    if [each for each in ROLE_USAGE if ROLE_USAGE[each] in usages] != [role]:
        return f"its extended key usages are not of {role} alone"
    enclave = role == "enclaves"
    if enclave and SERVER_AUTH not in usages:
        return "the extended key usage serverAuth is missing"
    if ("enclaveBinding" in leaf) != enclave or ("tpmTrust" in leaf) == enclave or "userBinding" in leaf:
        return "it does not have the binding of its role alone"
    if names["others"]:
        return "names other than DNS names and URIs"
    if enclave and not (len(names["dns"]) == 1 and len(names["uri"]) == 1 and spiffe_id(names["uri"][0])):
        return "not one DNS name and one SPIFFE ID"
    if not enclave and (names["dns"] or names["uri"] or not leaf["commonName"]):
        return "not a common name alone"
    if server_name and server_name.lower() not in [name.lower() for name in names["dns"]]:
        return "it is not for the server name of the bundle"
    return None


def chain_problem(chain, root, role, now, server_name):
    """What is wrong with a chain to one root, signatures aside; None when nothing is."""
    path = chain + [root]
    for index, certificate in enumerate(path):
        if certificate["unknownCritical"]:
            return "a critical extension that is unknown"
        if certificate["keyKind"] is None:
            return "a key other than RSA 2048, 3072 or 4096, P-256 or P-384"
        if index > 0:
            problem = signer_problem(certificate, index, role)
            if problem:
                return problem
            if path[index - 1]["issuer"] != certificate["subject"]:
                return "a certificate does not follow from the next"
    if any(now < each["notBefore"] for each in path):
        return "a certificate is not valid yet"
    if any(now > each["notAfter"] for each in path):
        return "a certificate has expired"
    names = chain[0].get("names", NOTHING)
    if any("nameConstraints" in each and unpermitted(names, each["nameConstraints"]) for each in path[1:]):
        return "its issuer may not give these names"
    return leaf_problem(chain[0], role, server_name)


def root_counts(root, accepted):
    """Whether the policy's fingerprints have this root."""
    return accepted is None or hashlib.sha256(root["der"]).hexdigest() in accepted

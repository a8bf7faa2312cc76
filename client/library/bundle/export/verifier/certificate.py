"""X.509 version 3 certificates in the profile of docs/evidence-format.md (RFC 5280, 4.1)."""

import re
from datetime import datetime, timezone

from der import (
    ENUMERATED, GENERALIZED_TIME, IA5, NULL, OCTET_STRING, OID, PRINTABLE, SEQUENCE, SET, UTC_TIME, UTF8,
    Der, Malformed, control_free, require,
)

ARC = "1.2.840.113556.1.8000.2554.5229.14853.53047.23879.44508.1970038.1522857"
MAX_BYTES = 8192
MAX_EXTENSIONS = 32
MAX_NAMES = 64
TRUST = ("vendor-root", "listed", "emulated")
DNS, URI, IP = 0x82, 0x86, 0x87

PSS = (
    "304106092a864886f70d01010a3034a00f300d06096086480165030402{0}0500a11c301a06092a864886f70d010108"
    "300d06096086480165030402{0}0500a2030201{1}"
)
"""AlgorithmIdentifier to hash and padding. PSS: MGF1 with the same hash, and a salt as long as the hash."""
SIGNATURE_ALGORITHMS = {
    bytes.fromhex(der): name
    for der, name in (
        ("300a06082a8648ce3d040302", "sha256"),  # ecdsa-with-SHA256
        ("300a06082a8648ce3d040303", "sha384"),  # ecdsa-with-SHA384
        ("300d06092a864886f70d01010b0500", "sha256"),  # sha256WithRSAEncryption
        ("300d06092a864886f70d01010c0500", "sha384"),  # sha384WithRSAEncryption
        (PSS.format("01", "20"), "sha256 pss"),
        (PSS.format("02", "30"), "sha384 pss"),
    )
}


def read_time(der):
    """Unix seconds (RFC 5280, 4.1.2.5): UTCTime to 2049, GeneralizedTime from 2050."""
    tag = UTC_TIME if der.next(UTC_TIME) else GENERALIZED_TIME
    try:
        text = der.content(tag).decode("ascii")
    except UnicodeDecodeError:
        raise Malformed("not a time") from None
    require(re.fullmatch(r"[0-9]{12}Z" if tag == UTC_TIME else r"[0-9]{14}Z", text), "not a time")
    if tag == UTC_TIME:
        text = ("20" if text[:2] < "50" else "19") + text
    fields = tuple(int(text[at : at + size]) for at, size in ((0, 4), (4, 2), (6, 2), (8, 2), (10, 2), (12, 2)))
    require(tag == UTC_TIME or fields[0] >= 2050, "a time in another form than RFC 5280 gives it")
    try:
        return int(datetime(*fields, tzinfo=timezone.utc).timestamp())
    except ValueError:
        raise Malformed("a date that does not exist") from None


def read_name(name):
    """The last common name of a Name."""
    common_name, count = None, 0
    while not name.done:
        attributes = name.inside(SET)
        require(not attributes.done, "an empty set in a name")
        while not attributes.done:
            count += 1
            require(count <= 32, "more than 32 attributes in a name")
            pair = attributes.sequence()
            kind = pair.oid()
            tag, content, _ = pair.any()
            pair.end()
            if tag in (UTF8, PRINTABLE, IA5):
                text = control_free(content, 256, "name")
                common_name = text if kind == "2.5.4.3" else common_name
            else:
                require(kind not in ("2.5.4.3", "2.5.4.10"), "a name that is no text")
    return common_name


def key_kind(spki):
    """rsa-2048, rsa-3072, rsa-4096, p256, p384, or None for any other key."""
    try:
        outer = Der(spki)
        info = outer.sequence()
        algorithm = info.sequence()
        kind, found = algorithm.oid(), None
        if kind == "1.2.840.10045.2.1":
            curve, point = algorithm.oid(), info.bit_string()
            size, name = {"1.2.840.10045.3.1.7": (65, "p256"), "1.3.132.0.34": (97, "p384")}.get(curve, (0, None))
            found = name if len(point) == size and point[:1] == b"\x04" else None
        elif kind == "1.2.840.113549.1.1.1":
            algorithm.content(NULL)
            key = Der(info.bit_string())
            numbers = key.sequence()
            modulus, exponent = numbers.integer(513), numbers.small()
            numbers.end()
            key.end()
            full = len(modulus) > 1 and modulus[0] == 0 and modulus[1] >= 0x80
            if full and exponent >= 65537 and exponent % 2 == 1:
                found = {257: "rsa-2048", 385: "rsa-3072", 513: "rsa-4096"}.get(len(modulus))
        for reader in (algorithm, info, outer):
            reader.end()
        return found
    except Malformed:
        return None


def visible(content):
    require(len(content) <= 2048 and all(0x21 <= byte <= 0x7E for byte in content), "a name that is not visible ASCII")
    return content.decode("ascii")


def read_general_names(der):
    """DNS names, URIs, and how many other names there are."""
    names = der.sequence()
    dns, uri, others = [], [], 0
    require(not names.done, "no names")
    while not names.done:
        tag, content, _ = names.any()
        if tag in (DNS, URI):
            text = visible(content)
            require(text, "an empty name")
            (dns if tag == DNS else uri).append(text)
        else:
            require(tag != IP or len(content) in (4, 16), "not an IP address")
            others += 1
        require(len(dns) + len(uri) + others <= MAX_NAMES, "more than 64 names")
    return {"dns": dns, "uri": uri, "others": others}


def read_name_constraints(der):
    both = der.sequence()
    require(not both.done, "no name constraints")
    constraints = {}
    for tag, which in ((0xA0, "permitted"), (0xA1, "excluded")):
        found = {"dns": [], "uri": [], "others": 0}
        if both.next(tag):
            subtrees = both.inside(tag)
            require(not subtrees.done, "an empty list of constraints")
            while not subtrees.done:
                subtree = subtrees.sequence()
                kind, content, _ = subtree.any()
                if kind in (DNS, URI):
                    found["dns" if kind == DNS else "uri"].append(visible(content))
                else:
                    found["others"] += 1
                subtree.end()
                require(len(found["dns"]) + len(found["uri"]) + found["others"] <= MAX_NAMES, "more than 64 constraints")
        constraints[which] = found
    both.end()
    return constraints


def read_basic_constraints(der):
    fields = der.sequence()
    authority = fields.true_by_default_false()
    length = fields.small() if not fields.done else None
    require(length is None or authority, "a path length without cA")
    fields.end()
    return {"ca": authority, "pathLength": length}


def read_key_usage(der):
    bits = der.named_bits()
    require(bits and max(bits) <= 8, "key usage: none, or an unknown bit")
    return bits


def read_usages(der):
    usages, oids = der.sequence(), []
    require(not usages.done, "no extended key usage")
    while not usages.done:
        oids.append(usages.oid())
        require(len(oids) <= MAX_EXTENSIONS, "more than 32 extended key usages")
    return oids


def read_key_identifier(der):
    fields = der.sequence()
    while not fields.done:
        fields.any()


def read_enclave_binding(der):
    """SEQUENCE { podUid, enclave, node UTF8String, ownerKeySha256 [0] IMPLICIT OCTET STRING (SIZE (32)) OPTIONAL }"""
    fields = der.sequence()
    binding = {name: fields.utf8(253, name) for name in ("podUid", "enclave", "node")}
    require(all(binding.values()), "enclave binding: an empty name")
    owner = fields.content(0x80) if not fields.done else None
    require(owner is None or len(owner) == 32, "enclave binding: owner key of 32 bytes")
    fields.end()
    return {**binding, "ownerKeySha256": owner.hex() if owner is not None else None}


def read_tpm_trust(der):
    """SEQUENCE { ekSha256 OCTET STRING (SIZE (32)), how ENUMERATED }"""
    fields = der.sequence()
    ek, how = fields.content(OCTET_STRING), fields.small(ENUMERATED)
    fields.end()
    require(len(ek) == 32 and how < len(TRUST), "TPM trust: unknown kind, or an EK hash that is not 32 bytes")
    return {"ekSha256": ek.hex(), "how": TRUST[how]}


def read_user_binding(der):
    """SEQUENCE { enclave, user UTF8String, SEQUENCE { grant, signature OCTET STRING } OPTIONAL }: never in evidence"""
    fields = der.sequence()
    require(fields.utf8(253, "enclave") and fields.utf8(253, "user"), "user binding: an empty name")
    if not fields.done:
        pair = fields.sequence()
        require(len(pair.content(OCTET_STRING)) <= 4096 and len(pair.content(OCTET_STRING)) <= 256, "user binding: too long")
        pair.end()
    fields.end()
    return True


EXTENSIONS = {
    "2.5.29.19": ("basicConstraints", read_basic_constraints),
    "2.5.29.15": ("keyUsage", read_key_usage),
    "2.5.29.37": ("usages", read_usages),
    "2.5.29.17": ("names", read_general_names),
    "2.5.29.30": ("nameConstraints", read_name_constraints),
    "2.5.29.14": ("subjectKeyIdentifier", lambda der: der.content(OCTET_STRING)),
    "2.5.29.35": ("authorityKeyIdentifier", read_key_identifier),
    ARC + ".2": ("enclaveBinding", read_enclave_binding),
    ARC + ".3": ("tpmTrust", read_tpm_trust),
    ARC + ".8": ("userBinding", read_user_binding),
}


def read_extensions(der):
    extensions, seen, unknown = der.sequence(), set(), []
    values = {}
    require(not extensions.done, "no extensions")
    while not extensions.done:
        fields = extensions.sequence()
        oid = fields.oid()
        critical = fields.true_by_default_false()
        content = Der(fields.content(OCTET_STRING))
        fields.end()
        require(oid not in seen and len(seen) < MAX_EXTENSIONS, "an extension twice, or more than 32 of them")
        seen.add(oid)
        if oid in EXTENSIONS:
            name, read = EXTENSIONS[oid]
            values[name] = read(content)
            content.end()
        elif critical:
            unknown.append(oid)
    return {**values, "unknownCritical": unknown}


def read_certificate(der):
    """What a verifier needs of one certificate; Malformed unless it is of the profile."""
    require(len(der) <= MAX_BYTES, "a certificate of more than 8 KiB")
    outer = Der(der)
    whole = outer.sequence()
    tbs, algorithm = whole.whole(SEQUENCE), whole.whole(SEQUENCE)
    signature = whole.bit_string()
    whole.end()
    outer.end()
    fields = Der(tbs).sequence()
    version = fields.inside(0xA0)
    require(version.small() == 2, "version 3 is expected")
    version.end()
    require(fields.integer(20)[0] < 0x80, "a negative serial number")
    require(fields.whole(SEQUENCE) == algorithm and algorithm in SIGNATURE_ALGORITHMS, "a signature algorithm that is not known")
    issuer = fields.whole(SEQUENCE)
    validity = fields.sequence()
    not_before, not_after = read_time(validity), read_time(validity)
    validity.end()
    subject, spki = fields.whole(SEQUENCE), fields.whole(SEQUENCE)
    wrapped = fields.inside(0xA3)
    extensions = read_extensions(wrapped)
    wrapped.end()
    fields.end()
    read_name(Der(issuer).sequence())
    return {
        "der": der, "tbs": tbs, "algorithm": SIGNATURE_ALGORITHMS[algorithm], "signature": signature, "issuer": issuer, "subject": subject, "commonName": read_name(Der(subject).sequence()),
        "notBefore": not_before, "notAfter": not_after, "spki": spki, "keyKind": key_kind(spki),
        **extensions,
    }

"""TPM 2.0 structures (TPM 2.0 Library part 2), as far as quotes and attestation keys need them. Big-endian throughout."""

import hashlib
import struct

from der import BIT_STRING, SEQUENCE, Malformed, element, require, unsigned

HASHES = {
    0x0004: "sha1", 0x000B: "sha256", 0x000C: "sha384", 0x000D: "sha512",
    0x0012: "sm3_256", 0x0027: "sha3_256", 0x0028: "sha3_384", 0x0029: "sha3_512",
}
GOOD_HASHES = ("sha256", "sha384")
HASH_IDS = {name: number for number, name in HASHES.items()}
NULL_ALGORITHM, RSASSA, RSAES, RSAPSS, OAEP, ECDSA, ECDH, AES, CFB = 0x10, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x06, 0x43
RSA_KEY, ECC_KEY = 0x0001, 0x0023
SCHEMES = {RSASSA: "rsassa", RSAPSS: "rsapss", ECDSA: "ecdsa"}
"""TPM_ECC_CURVE: bytes of a coordinate, AlgorithmIdentifier of a SubjectPublicKeyInfo."""
CURVES = {
    0x0003: ("p256", 32, "301306072a8648ce3d020106082a8648ce3d030107"),
    0x0004: ("p384", 48, "301006072a8648ce3d020106052b81040022"),
    0x0005: ("p521", 66, "301006072a8648ce3d020106052b81040023"),
}
ATTRIBUTES = {
    "fixedTPM": 1, "stClear": 2, "fixedParent": 4, "sensitiveDataOrigin": 5, "userWithAuth": 6, "adminWithPolicy": 7,
    "noDA": 10, "encryptedDuplication": 11, "restricted": 16, "decrypt": 17, "sign": 18, "x509sign": 19,
}
TPM_GENERATED_VALUE = 0xFF544347
ATTEST_KINDS = {0x8017: "certify", 0x8018: "quote", 0x8019: "time", 0x801A: "creation"}
ENDORSEMENT_HIERARCHY = struct.pack(">I", 0x4000000B)


class Reader:
    def __init__(self, content):
        self.bytes, self.at = content, 0

    def take(self, size):
        require(self.at + size <= len(self.bytes), "the structure ends too early")
        self.at += size
        return self.bytes[self.at - size : self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def sized(self, maximum, width=2):
        """A TPM2B: bytes behind their length."""
        size = self.number(width)
        require(size <= maximum, "a length over its bound")
        return self.take(size)

    def one_of(self, table):
        value = self.number(2)
        require(value in table, f"0x{value:04x} is not known here")
        return value

    def hash(self):
        return HASHES[self.one_of(HASHES)]

    def end(self):
        require(self.at == len(self.bytes), "bytes follow the structure")


def read_pcr_selection(reader):
    """TPML_PCR_SELECTION: per bank its hash and its bit map."""
    count = reader.number(4)
    require(count <= 16, "more than 16 banks")
    return [(reader.hash(), reader.sized(4, 1)) for _ in range(count)]


def selected(bitmap):
    """Bit n of octet m is PCR 8m + n."""
    return [pcr for pcr in range(8 * len(bitmap)) if bitmap[pcr // 8] >> pcr % 8 & 1]


def read_clock(reader):
    clock = {"clock": reader.number(8), "resetCount": reader.number(4), "restartCount": reader.number(4)}
    safe = reader.number(1)
    require(safe <= 1, "safe is neither YES nor NO")
    return {**clock, "safe": safe == 1}


def read_attest(content):
    """TPMS_ATTEST (10.12.12)."""
    reader = Reader(content)
    require(reader.number(4) == TPM_GENERATED_VALUE, "the magic is not TPM_GENERATED_VALUE")
    kind = ATTEST_KINDS[reader.one_of(ATTEST_KINDS)]
    attest = {"type": kind, "qualifiedSigner": reader.sized(66), "extraData": reader.sized(66), **read_clock(reader)}
    reader.number(8)
    if kind == "quote":
        attest["pcrSelect"], attest["pcrDigest"] = read_pcr_selection(reader), reader.sized(64)
    elif kind == "certify":
        reader.sized(66), reader.sized(66)
    elif kind == "creation":
        reader.sized(66), reader.sized(64)
    else:
        reader.number(8), read_clock(reader), reader.number(8)
    reader.end()
    return attest


def read_extra_data(content):
    """extraData of a TPMS_ATTEST, whatever its magic, its type and what follows."""
    reader = Reader(content)
    reader.number(4), reader.number(2), reader.sized(66)
    return reader.sized(66)


def read_signature(content):
    """TPMT_SIGNATURE (11.3.4): scheme, hash, and the signature as OpenSSL takes it."""
    reader = Reader(content)
    scheme = SCHEMES[reader.one_of(SCHEMES)]
    algorithm = reader.hash()
    if scheme == "ecdsa":
        r, s = reader.sized(66), reader.sized(66)
        signature, coordinate = element(SEQUENCE, unsigned(r) + unsigned(s)), max(len(r), len(s))
    else:
        signature, coordinate = reader.sized(512), 0
    reader.end()
    return {"scheme": scheme, "hash": algorithm, "bytes": signature, "coordinate": coordinate}


def read_key_scheme(reader, with_hash, without):
    """Scheme of a key with its hash, or None for TPM_ALG_NULL."""
    scheme = reader.one_of((NULL_ALGORITHM, *with_hash, *without))
    return (scheme, reader.hash()) if scheme in with_hash else (scheme, None)


def read_public(content):
    """TPMT_PUBLIC (12.2.4) of an RSA or ECC key."""
    reader = Reader(content)
    kind = reader.one_of((RSA_KEY, ECC_KEY))
    key = {"kind": kind, "nameAlg": reader.hash(), "bytes": content}
    bits = reader.number(4)
    require(bits & ~sum(1 << bit for bit in ATTRIBUTES.values()) == 0, "reserved attributes are set")
    key["attributes"] = {name for name, bit in ATTRIBUTES.items() if bits >> bit & 1}
    reader.sized(64)
    symmetric = reader.one_of((NULL_ALGORITHM, AES))
    if symmetric == AES:
        require(reader.number(2) in (128, 192, 256) and reader.number(2) == CFB, "a symmetric algorithm that is not known")
    key["symmetric"] = symmetric == AES
    if kind == RSA_KEY:
        key["scheme"] = read_key_scheme(reader, (RSASSA, RSAPSS, OAEP), (RSAES,))
        key["keyBits"], key["exponent"] = reader.number(2), reader.number(4)
        require(1024 <= key["keyBits"] <= 4096, "an RSA key of a size that is not known")
        key["modulus"] = reader.sized(512)
    else:
        key["scheme"] = read_key_scheme(reader, (ECDSA, ECDH), ())
        key["curve"] = reader.one_of(CURVES)
        read_key_scheme(reader, (0x20, 0x22), ())
        key["x"], key["y"] = reader.sized(66), reader.sized(66)
    reader.end()
    return key


def public_spki(key):
    """SubjectPublicKeyInfo, DER; Malformed when the key's size contradicts its parameters."""
    if key["kind"] == RSA_KEY:
        require(8 * len(key["modulus"]) == key["keyBits"], "a modulus of another size than keyBits")
        exponent = struct.pack(">I", key["exponent"] or 65537)
        numbers = element(SEQUENCE, unsigned(key["modulus"]) + unsigned(exponent))
        return element(SEQUENCE, bytes.fromhex("300d06092a864886f70d0101010500") + element(BIT_STRING, b"\0" + numbers))
    _, size, algorithm = CURVES[key["curve"]]
    require(0 < len(key["x"]) <= size and 0 < len(key["y"]) <= size, "a coordinate of another size than the curve's")
    point = b"\x04" + key["x"].rjust(size, b"\0") + key["y"].rjust(size, b"\0")
    return element(SEQUENCE, bytes.fromhex(algorithm) + element(BIT_STRING, b"\0" + point))


def names(key):
    """Name and qualified name (part 1, 16) as a primary key of the endorsement hierarchy."""
    algorithm = key["nameAlg"]
    require(algorithm in GOOD_HASHES, "a name by neither SHA-256 nor SHA-384")
    prefix = struct.pack(">H", HASH_IDS[algorithm])
    name = prefix + hashlib.new(algorithm, key["bytes"]).digest()
    return name, prefix + hashlib.new(algorithm, ENDORSEMENT_HIERARCHY + name).digest()


def pcr_values_file(selection, digests):
    """PCR values as tpm2_quote writes and tpm2_checkquote reads them: C structures of a little-endian machine."""
    (bank, bitmap), = selection
    content = struct.pack("<IHB", 1, HASH_IDS[bank], len(bitmap)) + bitmap.ljust(4, b"\0") + b"\0"
    content = content.ljust(4 + 16 * 8, b"\0") + struct.pack("<I", (len(digests) + 7) // 8)
    for start in range(0, len(digests), 8):
        part = digests[start : start + 8]
        content += struct.pack("<I", len(part))
        content += b"".join(struct.pack("<H", len(each)) + each.ljust(64, b"\0") for each in part).ljust(8 * 66, b"\0")
    return content

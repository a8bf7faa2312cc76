#!/bin/sh
# Verifies the evidence in a folder that `enclavectl bundle export` wrote, with tools that are not ours: tpm2_checkquote, openssl and
# sha256sum judge signatures and hashes; verifier/ (Python, standard library only) reads formats and compares values. One line a check,
# by the names of `enclavectl verify`. docs/verify.md explains it, docs/evidence-format.md describes every byte.
set -u
umask 077
export LC_ALL=C OPENSSL_CONF=/dev/null
unset TPM2TOOLS_TCTI TPM2TOOLS_ENABLE_ERRATA TPM2TOOLS_AUTOFLUSH 2>/dev/null

usage() {
  cat <<'TEXT'
usage: sh verify.sh [OPTION VALUE]... [FOLDER]

Judges FOLDER (by default the one that holds verify.sh). Nothing in the bundle is believed; what it is judged by comes from you:
  --roots FILE            the operator's roots.json (default: roots.json of the folder)
  --roots-sha256 HEX      its SHA-256, when you take the folder's
  --policy FILE           the policy, as JSON (default: policy.json of the folder)
  --trust FILE            PCR selection and sets of roots (default: trust.json of the folder, if there and if its roots are taken too)
  --at TIME               judge as of this time: 2026-01-31T12:00:00Z or Unix seconds (default: now)
  --nonce BYTES           the nonce that was asked with, hex or base64url
  --owner-key HEX         SHA-256 of your public key (DER); otherwise the policy's ownerKeys count
  --grant FILE, --grant-signature FILE   the owner's grant for your key
  --live FILE             certificate (DER) that the peer presented on the connection you judge
  --seen FILE             what you remember of the nodes' TPMs, as JSON
Exit code 0: no check failed; 1: refused; 2: it could not be judged (a tool or a file is missing, a wrong option).
TEXT
}
case " $* " in *' --help '* | *' -h '*) usage && exit 0 ;; esac

missing=''
need() {
  command -v "$1" >/dev/null 2>&1 && return
  missing=1
  echo "verify.sh: $1 is missing: apt-get install $2" >&2
}
need python3 python3
need openssl openssl
need tpm2_checkquote tpm2-tools
need sha256sum coreutils
need sha384sum coreutils
[ -z "$missing" ] || exit 2

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM

# The folder is the last argument when the number of arguments is odd.
[ $(($# % 2)) = 1 ] || set -- "$@" "$here"
reader() {
  half=$1
  shift
  timeout 60 python3 -I -B "$here/verifier" "$half" "$work" "$@"
}

tool() { timeout 20 "$@" >"$work/output" 2>&1; }
sha256() { openssl dgst -sha256 -binary; }

# line_of FILE: the one line that verifier/ wrote into it (hexadecimal digits, a word of a closed table, a text), in $line.
line_of() { IFS= read -r line <"$work/$1" || line=''; }

# signed_by CERTIFICATE ISSUER (the first without .pem): the signature alone; names, dates, usages and name constraints are judged beside it. Not
# by `openssl verify`: it takes a certificate for signed that it was told to trust, and one of its issuer's name for self-signed.
signed_by() {
  tool openssl x509 -in "$2" -noout -pubkey -out "$work/issuer.pem" || return
  line_of "${1#"$work/"}.algorithm"
  certificate=$1
  set --
  [ "${line#* }" != pss ] || set -- -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
  tool openssl dgst "-${line%% *}" -verify "$work/issuer.pem" "$@" -signature "$certificate.signature" "$certificate.tbs"
}

# chain ROLE: each certificate is signed by the next, the last by a root of the role; what is wrong with the chain to that root is known.
chain() {
  at=0
  while [ -e "$work/$1/$((at + 1)).pem" ]; do
    signed_by "$work/$1/$at" "$work/$1/$((at + 1)).pem" || { why='a signature in the chain is wrong'; return 1; }
    at=$((at + 1))
  done
  for root in "$work/$1"/root.*.pem; do
    [ -e "$root" ] || continue
    signed_by "$work/$1/$at" "$root" || continue
    line_of "$1/${root##*/}.problem"
    why=$line
    [ -z "$why" ]
    return
  done
  why='no root that counts made the signature'
  return 1
}

# From the leaf up: the sibling of each level stands left or right of what was computed so far (RFC 9162).
batch_root() {
  sha256 <"$work/leaf" >"$work/root" || return 1
  level=0
  while :; do
    if [ -e "$work/path/$level.left" ]; then
      { printf '\001' && cat "$work/path/$level.left" "$work/root"; } | sha256 >"$work/above" || return 1
    elif [ -e "$work/path/$level.right" ]; then
      { printf '\001' && cat "$work/root" "$work/path/$level.right"; } | sha256 >"$work/above" || return 1
    else
      return 0
    fi
    mv "$work/above" "$work/root"
    level=$((level + 1))
  done
}

qualifying_data() {
  sum=$({ printf 'enclave-batch/1' && cat "$work/leaf-count" "$work/root"; } | sha256sum)
  why="the batch has ${sum%% *}"
  line_of extra-data
  [ "${sum%% *}" = "$line" ]
}

# checkquote [OPTION...]: tpm2_checkquote also compares the extraData, which is a check of its own here. It knows no RSA-PSS before version
# 5.6 (Debian 12 has 5.4), and is not asked for it.
checkquote() {
  [ "$scheme" != rsapss ] || return 0
  line_of extra-data
  [ -z "$line" ] || set -- "$@" -q "$line"
  why='tpm2_checkquote refuses it'
  tool tpm2_checkquote -u "$work/key.pem" -m "$work/attest" -s "$work/signature.tpmt" -g "$hash" "$@"
}

# signed_with [OPTION...]: the scheme is the key's own, where tpm2_checkquote would take another padding too.
signed_with() {
  why='openssl refuses the signature'
  tool openssl dgst "-$hash" -verify "$work/key.pem" "$@" -signature "$work/signature" "$work/attest"
}

quote_signature() {
  # With the PCR values, which is what is expected; when that is refused, without them, to tell which of the two is wrong.
  with_pcrs=''
  if [ -e "$work/pcr-values" ] && checkquote -f "$work/pcr-values"; then with_pcrs=1; else checkquote || return 1; fi
  case $scheme in
    rsapss)
      # A salt as long as the hash, or the longest that fits, as TPMs take it that do not follow FIPS 186.
      signed_with -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest ||
        signed_with -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:max
      ;;
    *) signed_with ;;
  esac
}

pcr_digest() {
  why='tpm2_checkquote refuses the values'
  [ -n "$with_pcrs" ] || return 1
  sum=$("${hash}sum" <"$work/pcr-digests")
  line_of pcr-digest
  why="the values shown have ${sum%% *}"
  [ "${sum%% *}" = "$line" ]
}

grant_signature() {
  [ -e "$work/grant.message" ] || return 0
  why='the owner key did not sign the grant'
  tool openssl dgst -sha256 -verify "$work/grant.key.pem" -signature "$work/grant.signature" "$work/grant.message"
}

held=0 failed=0 idle=0 lost=' '
say() { printf '%-8s %-22s %s\n' "$1" "$2" "$3"; }

lacks() {
  for each in $1; do
    case $lost in *" $each "*) return 0 ;; esac
  done
  return 1
}

# check NAME 'CHECKS THAT MUST HAVE HELD' [COMMAND...]: holds when verifier/ says so, and the command too.
check() {
  name=$1 after=$2
  shift 2
  if lacks "$after"; then
    say 'not run' "$name" "$each did not hold"
    lost="$lost$name " idle=$((idle + 1))
    return
  fi
  word=failed text='nothing was found' why=''
  [ ! -f "$work/said/$name" ] || IFS=' ' read -r word text <"$work/said/$name"
  if [ "$word" = ok ] && [ $# -gt 0 ] && ! "$@"; then word=failed text=$why; fi
  case $word in
    ok) say ok "$name" "$text" && held=$((held + 1)) ;;
    not-run) say 'not run' "$name" "$text" && idle=$((idle + 1)) ;;
    *) say FAILED "$name" "$text" && lost="$lost$name " failed=$((failed + 1)) ;;
  esac
}

reader read "$@" || { [ $? = 2 ] || echo 'verify.sh: the bundle could not be read' >&2; exit 2; }
for input in "$work"/inputs.*; do
  line_of "${input##*/}"
  printf 'judged by %s\n' "$line"
done
hash='' scheme=''
if [ -e "$work/key.pem" ]; then
  line_of hash
  hash=$line
  line_of scheme
  scheme=$line
fi

# What later checks need of the quote and of the key, when their own checks come only after.
[ -e "$work/extra-data" ] || lost="${lost}a-readable-quote "
[ -e "$work/key.pem" ] || lost="${lost}a-usable-key "

check bundle-shape ''
check certificate-chain bundle-shape chain enclaves
check live-certificate certificate-chain
check batch-proof bundle-shape batch_root
check qualifying-data 'bundle-shape batch-proof a-readable-quote' qualifying_data
check quote-signature 'bundle-shape a-usable-key' quote_signature
check attestation-key bundle-shape
check qualified-signer 'attestation-key quote-signature'
check attestation-key-chain 'bundle-shape attestation-key' chain attestation-keys
check tpm-trust attestation-key-chain
# Only now is the statement looked at: the quote covers it, and a certified key signed the quote.
covered='bundle-shape qualifying-data qualified-signer attestation-key-chain'
lacks "$covered" || reader claims "$@" || exit 2
check statement "$covered"
check nonce statement
check age statement
check confirmation 'statement certificate-chain'
check node 'attestation-key-chain statement certificate-chain'
check pod 'certificate-chain statement'
check owner-key 'certificate-chain statement'
check pcr-selection 'bundle-shape quote-signature'
check pcr-digest 'bundle-shape quote-signature pcr-selection' pcr_digest
check pcr-values 'bundle-shape pcr-digest'
check known-tpm attestation-key-chain
check clock 'quote-signature attestation-key-chain attestation-key known-tpm nonce'
check namespace statement
check service-account statement
check enclave statement
check images statement
check spec statement
check access statement
check owner statement grant_signature
check roots statement

echo 'not done here, nor by enclavectl verify: revocation (a trust document says it), the meaning of the event log'
if [ "$failed" = 0 ]; then
  echo "verdict: good ($held checks held, $idle had nothing to compare with or were not reached)"
else
  echo "verdict: REFUSED ($failed failed; $held checks held, $idle had nothing to compare with or were not reached)"
  exit 1
fi

#!/usr/bin/env bash
# TypeScript from proto/ into proto/gen, or below the folder named (for comparison); and the policy's part of the CRDs.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-.}
# template SERVICES: buf's template for .proto files that are not ours. Their interfaces are published: the files come from packages.
template() {
  printf '{"version":"v2","plugins":[{"local":"node_modules/.bin/protoc-gen-ts_proto","out":"proto/gen","strategy":"all","opt":["env=both","importSuffix=.ts","enumsAsLiterals=true","oneof=unions-value","forceLong=bigint","esModuleInterop=true","outputServices=%s"]}]}' "$1"
}
google=node_modules/google-proto-files
reflection=node_modules/@grpc/reflection/build/proto
buf generate proto --include-imports --include-wkt -o "$out"
# Only what we send.
buf generate "$google" --path "$google/google/rpc/status.proto" --path "$google/google/rpc/error_details.proto" \
  --template "$(template false)" --include-imports --include-wkt -o "$out"
# The packages of health and reflection read their .proto files at run time, which a bundle has not.
buf generate node_modules/grpc-health-check/proto --template "$(template grpc-js)" -o "$out"
buf generate "$reflection" --path "$reflection/grpc/reflection/v1/reflection.proto" --template "$(template grpc-js)" -o "$out"
# What reflection answers: the descriptors of every service, as data that a bundle carries.
{
  printf '// Descriptors of proto/, made by tools/generate.sh. DO NOT EDIT.\n'
  printf "export const DESCRIPTOR_SET_BASE64 =\n  '%s';\n" \
    "$(buf build proto --exclude-source-info --as-file-descriptor-set -o -#format=binpb | base64 -w0)"
} >"$out/proto/gen/descriptor_set.ts"
[ "$out" != . ] || { node tools/make-policy-resource.ts; node tools/make-evidence-example.ts; }

#!/usr/bin/env bash
# TypeScript from proto/ into proto/gen, or below the folder named (for comparison).
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-.}
buf generate proto --include-imports --include-wkt -o "$out"
# google.rpc is a published interface: its .proto files come from a package, only what we send is generated.
buf generate node_modules/google-proto-files --path node_modules/google-proto-files/google/rpc/status.proto \
  --path node_modules/google-proto-files/google/rpc/error_details.proto --template '{"version":"v2","plugins":[{"local":"node_modules/.bin/protoc-gen-ts_proto","out":"proto/gen","strategy":"all","opt":["env=both","importSuffix=.ts","enumsAsLiterals=true","oneof=unions-value","forceLong=bigint","esModuleInterop=true","outputServices=false"]}]}' \
  --include-imports --include-wkt -o "$out"

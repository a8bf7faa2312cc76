#!/usr/bin/env bash
# The alert rules, judged by Prometheus's own promtool: a part of make test-kube, because make test needs no Prometheus.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools/debian.sh test-kube promtool:prometheus
exec node test/charts/alerts-promtool.ts

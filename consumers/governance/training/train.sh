#!/bin/sh
# Makes the samples, draws their features, trains and writes the model. Python lives outside the checkout.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
venv=${ATOM_PYTHON_ENV:-$HOME/.cache/atom/train-venv}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi

node --import tsx "$here/generate-samples.ts" "$here/policy_samples.jsonl"
node --import tsx "$here/extract-features.ts" "$here/policy_samples.jsonl" "$work/features.jsonl"
# One thread: sums in another order would give another model file.
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$venv/bin/python" "$here/train.py" "$work/features.jsonl" "$here/policy_samples.jsonl" "$here/../model"

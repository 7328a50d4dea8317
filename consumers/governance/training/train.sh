#!/bin/sh
# Makes the samples, draws features, trains, writes the model, its card and what it was worth. Python lives outside the
# checkout. With `--data DIR` the rows of the labelled packages are made anew: needed after every change of a rule.
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

case "${1:-}" in
  '') ;;
  --data) node --import tsx "$here/development-rows.ts" "${2:?usage: npm run train -- [--data DIR]}" ;;
  *) echo 'usage: npm run train -- [--data DIR]' >&2; exit 2 ;;
esac
node --import tsx "$here/generate-samples.ts" "$here/policy_samples.jsonl"
node --import tsx "$here/extract-features.ts" "$here/policy_samples.jsonl" "$work/features.jsonl"
# One thread: sums in another order would give another model file.
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$venv/bin/python" "$here/train.py" "$work/features.jsonl" \
  "$here/../model" "$here" "$here/policy_samples.jsonl" "$here/development_rows.jsonl"
node --import tsx "$here/write-card.ts"

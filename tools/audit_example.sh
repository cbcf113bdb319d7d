#!/usr/bin/env bash
# Makes the example audit again, docs/audit/NAME.json and .html:
#   bash tools/audit_example.sh [NAME [MODEL [OUTDIR [WORLD]]]]
# PYTHON names the interpreter. OUTDIR keeps the cells: a killed run goes on from them.
set -euo pipefail
cd "$(dirname "$0")/.."
name=${1:-minifaces} model=${2:-minifaces} out=${3:-$(mktemp -d)} world=${4:-minifaces} status=0

"${PYTHON:-python}" -m styleT2I.audit run "docs/audit/$world.yaml" --model "$model" --device cpu --outdir "$out" || status=$?
[[ "$status" =~ ^[034]$ ]] || exit "$status" # 3: a limit is exceeded, 4: one is not decided; both are findings
cp "$out/audit.json" "docs/audit/$name.json"
cp "$out/audit.html" "docs/audit/$name.html"

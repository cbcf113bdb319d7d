#!/usr/bin/env bash
# Everything that waits for a GPU, in order: bash tools/gpu_work.sh OUTDIR [STAGE ...]
#
#   tests    the GPU tests
#   speed    kernels, half precision and CUDA graphs against the ops as published, and the kernels' share of the bandwidth
#   finish   an adversarial finish of the embedded generator, then its metrics beside the fitted one's
#   scratch  the same StyleGAN2 trained adversarially from nothing, then its metrics
#   fit128   the generator fitted to the renderer at 128 pixels
#   baselines  DAMSM and the four earlier GANs on MiniFaces, an equal number of images each (BASELINE_KIMG), and their comparison
#   unclip   unCLIP's priors and its decoder at 64 pixels on MiniFaces (UNCLIP_KIMG images for the decoder), and its metrics
#
# Each stage takes under ten minutes on one large GPU; set KIMG to change the length of the adversarial runs, SPEED_SECONDS that of the benchmark, and CLONE to the folder
# of a clone of NVlabs/stylegan2-ada-pytorch to measure it too. Figures and weights land in OUTDIR (fp16, a few megabytes each);
# checkpoints stay in OUTDIR/runs, from which the same command goes on.
set -euo pipefail

out=${1:?usage: tools/gpu_work.sh OUTDIR [tests speed finish scratch fit128 baselines unclip]}
shift
stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=(tests speed finish scratch fit128 baselines unclip)
python=${PYTHON:-python3}
[ -n "${PYTHON:-}" ] || [ ! -x .venv/bin/python ] || python=.venv/bin/python # where README installs
command -v "$python" >/dev/null || { echo "gpu_work: no interpreter $python; name one in PYTHON" >&2; exit 2; }
"$python" - <<'CHECK' || exit 2
import sys
try:
    import torch
except ImportError:
    sys.exit(f"gpu_work: {sys.executable} has no torch; activate the environment (. .venv/bin/activate) or name it in PYTHON")
if not torch.cuda.is_available():
    sys.exit(f"gpu_work: torch {torch.__version__} of {sys.executable} finds no CUDA GPU, which all of this waits for")
CHECK
model=checkpoints/minifaces
mkdir -p "$out/runs"

train() { # NAME ARGUMENTS...: trains adversarially, keeps the generator, measures it
  local name=$1
  shift
  "$python" -m styleT2I.train_stylegan2 --preset minifaces64 --data minifaces:biased/train:60000 \
    --judge "$model/judges_guide.json" --device cuda --outdir "$out/runs/$name" "$@"
  "$python" -m styleT2I.package_model --generator "$out/runs/$name/generator.json" --half --outdir "$out/$name"
  "$python" -m styleT2I.evaluate --suite generator --trunc 1 --generator "$out/$name/generator.json" --out "$out/$name.json"
  tail -n 1 "$out/runs/$name/stats.jsonl"
}

for stage in "${stages[@]}"; do
  echo "== $stage"
  case $stage in
  tests) "$python" -m pytest -m gpu -q | tee "$out/tests-gpu.log" ;;
  speed)
    "$python" -m styleT2I.doctor --build
    "$python" benchmarks/gpu_ops.py --seconds "${SPEED_SECONDS:-110}" --json "$out/gpu_ops.json" ${CLONE:+--against "$CLONE"} | tee "$out/gpu_ops.log"
    ;;
  finish)
    "$python" -m styleT2I.evaluate --suite generator --trunc 1 --out "$out/fitted.json"
    train finish --init "$model/generator.json" --kimg "${KIMG:-600}" --d-warmup-kimg 50
    ;;
  scratch) train scratch --kimg "${KIMG:-2000}" ;;
  fit128)
    "$python" -m styleT2I.fit_stylegan2 --resolution 128 --device cuda --outdir "$out/runs/fit128"
    "$python" -m styleT2I.package_model --generator "$out/runs/fit128/generator.json" --half --outdir "$out/fit128"
    ;;
  baselines)
    kimg=${BASELINE_KIMG:-400}
    "$python" -m styleT2I.train_baseline --system damsm --kimg "$kimg" --device cuda --outdir "$out/runs/damsm"
    for system in gan_int_cls stackgan attngan dfgan; do
      reader=()
      case $system in attngan | dfgan) reader=(--damsm "$out/runs/damsm") ;; esac
      "$python" -m styleT2I.train_baseline --system "$system" "${reader[@]}" --kimg "$kimg" --eval-kimg 40 \
        --judge "$model/judges_guide.json" --device cuda --outdir "$out/runs/$system"
      "$python" -m styleT2I.package_model --model "$out/runs/$system" --half --outdir "$out/$system"
      tail -n 1 "$out/runs/$system/stats.jsonl"
    done
    "$python" -m styleT2I.evaluate --suite systems --systems "$out/gan_int_cls,$out/stackgan,$out/attngan,$out/dfgan,minifaces" \
      --table --out "$out/systems.json" --grid "$out/systems.png"
    "$python" -m styleT2I.evaluate --suite style --systems "$out/gan_int_cls" --out "$out/style.json"
    ;;
  unclip)
    runs="$out/runs"
    for system in unclip_prior unclip_ar_prior; do
      "$python" -m styleT2I.train_baseline --model "$system" --preset minifaces64 --device cuda --outdir "$runs/$system"
    done
    "$python" -m styleT2I.train_baseline --model unclip --preset minifaces64 --kimg "${UNCLIP_KIMG:-512}" --eval-kimg 64 \
      --prior "$runs/unclip_prior" --ar-prior "$runs/unclip_ar_prior" --device cuda --outdir "$runs/unclip"
    "$python" -m styleT2I.package_model --model "$runs/unclip" --half --outdir "$out/unclip"
    "$python" -m styleT2I.evaluate --suite unclip --systems "$out/unclip" --json "$out/unclip.json"
    "$python" -m styleT2I.evaluate --suite systems --systems "$out/unclip,minifaces" --table --json "$out/unclip-systems.json" \
      --grid "$out/unclip-systems.png"
    ;;
  *)
    echo "unknown stage $stage" >&2
    exit 2
    ;;
  esac
done

#!/usr/bin/env bash
# Everything that waits for a GPU, in order, each part for so long at most that all of it fits 15 minutes of one:
#
#   bash tools/gpu_work.sh [--dry-run] OUTDIR [STAGE[:SECONDS] ...]
#
#   tests      the GPU tests, after the kernels are compiled
#   speed      kernels, half precision and CUDA graphs beside the ops as published; the kernels' part of the bandwidth
#   training   images a second of train_stylegan2, steps a second of Text-to-Direction
#   portraits  StyleGAN2 on rendered Portraits at 128 pixels, adversarially from nothing
#   unclip     unCLIP's priors and its decoder at 64 pixels on MiniFaces
#   baselines  DAMSM and the four earlier GANs on MiniFaces
# and, when named:
#   finish     an adversarial finish of the embedded generator
#   scratch    the same StyleGAN2 trained adversarially from nothing
#   fit128     the generator fitted to the renderer at 128 pixels
#
# --dry-run prints the plan and makes nothing. A stage that fails does not keep the later ones from running.
#
# Results, logs and one small archive a training (fp16 networks; the whole checkpoint where it takes no more than 15 MB)
# land in OUTDIR. A training stopped by its time has a checkpoint in RUNS (OUTDIR/runs), from which the same command goes
# on. Where RUNS is lost and the archives are not, FROM=FOLDER goes on from these: exactly from a checkpoint, else (the
# StyleGAN2 trainings) from the networks.
# In the environment: PYTHON; RUNS; FROM; CLONE, a clone of NVlabs/stylegan2-ada-pytorch to measure beside; PORTRAITS, a
# folder of rendered Portraits (python -m styleT2I.data.portraits) where they are not in the user's cache.
set -uo pipefail
usage="usage: tools/gpu_work.sh [--dry-run] OUTDIR [STAGE[:SECONDS] ...]"

is_dry=
[ "${1:-}" != --dry-run ] || { is_dry=yes && shift; }
out=${1:?$usage}
shift
[ $# -gt 0 ] || set -- tests speed training portraits unclip baselines
declare -A seconds=([tests]=100 [speed]=120 [training]=60 [portraits]=180 [unclip]=100 [baselines]=120
  [finish]=200 [scratch]=200 [fit128]=200)
stages=()
for stage in "$@"; do
  name=${stage%%:*}
  [ -n "${seconds[$name]:-}" ] || { echo "gpu_work: unknown stage $name; $usage" >&2 && exit 2; }
  [ "$stage" = "$name" ] || seconds[$name]=${stage#*:}
  [[ ${seconds[$name]} =~ ^[1-9][0-9]*$ ]] || { echo "gpu_work: $stage: seconds are a number from 1 on" >&2 && exit 2; }
  stages+=("$name")
done

python=${PYTHON:-python3}
[ -n "${PYTHON:-}" ] || [ ! -x .venv/bin/python ] || python=.venv/bin/python # where README installs
runs=${RUNS:-$out/runs}
model=checkpoints/minifaces
if [ -z "$is_dry" ]; then
  command -v "$python" >/dev/null || { echo "gpu_work: no interpreter $python; name one in PYTHON" >&2 && exit 2; }
  "$python" - <<'CHECK' || exit 2
import sys
try:
    import torch
except ImportError:
    sys.exit(f"gpu_work: {sys.executable} has no torch; activate the environment (. .venv/bin/activate) or name it in PYTHON")
if not torch.cuda.is_available():
    sys.exit(f"gpu_work: torch {torch.__version__} of {sys.executable} finds no CUDA GPU, which all of this waits for")
CHECK
  mkdir -p "$out" "$runs"
fi

limit() { # SECONDS COMMAND...: a command that is stopped by its time has done what it could
  local most=$1
  shift
  echo "[$most s] $*"
  [ -z "$is_dry" ] || return 0
  timeout --signal=TERM --kill-after=20 "$most" "$@"
  local code=$?
  [ $code -ne 124 ] || { echo "[stopped after $most s]" && return 0; }
  return $code
}

unpacked() { # NAME: brings a training back that RUNS lacks and FROM has
  local archive="${FROM:-}/$1.tar"
  [ -z "$is_dry" ] && [ -f "$archive" ] && [ ! -d "$runs/$1" ] || return 0
  mkdir -p "$runs/$1-start"
  tar -xf "$archive" -C "$runs/$1-start" || return
  ! compgen -G "$runs/$1-start/ckpt-*.json" >/dev/null || mv "$runs/$1-start" "$runs/$1"
}

train() { # NAME SECONDS KIMG MODULE ARGUMENTS...: trains, then makes and packs the networks as far as they came
  local name=$1 most=$2 kimg=$3 run="$runs/$1"
  local command=("$python" -m "styleT2I.$4" --device cuda --outdir "$run" "${@:5}")
  unpacked "$name" || return
  limit "$most" "${command[@]}" --kimg "$kimg" || return
  [ -n "$is_dry" ] || kimg=$("$python" tools/pack_run.py --reached "$run") || return
  # With the images that it has seen as its goal a training has nothing left to do but to write its networks.
  [ -n "$is_dry" ] || "${command[@]}" --kimg "$kimg" || return
  limit 60 "$python" tools/pack_run.py "$run" "$out/$name.tar"
}

train_stylegan2() { # NAME SECONDS KIMG ARGUMENTS...
  local init=()
  unpacked "$1" || return
  [ ! -f "$runs/$1-start/generator.json" ] || init=(--init "$runs/$1-start")
  train "$1" "$2" "$3" train_stylegan2 --eval-kimg 50 "${@:4}" "${init[@]}"
}

stage_tests() {
  limit 100 "$python" -m styleT2I.doctor --build || return
  local workers=()
  ! "$python" -c "import xdist" 2>/dev/null || workers=(-n 8)
  local log="$out/tests-gpu.log"
  [ -z "$is_dry" ] || log=/dev/null
  limit "$1" "$python" -m pytest -m gpu -q "${workers[@]}" | tee "$log"
}

stage_speed() {
  local clone=()
  [ -z "${CLONE:-}" ] || clone=(--against "$CLONE")
  limit "$(($1 + 60))" "$python" benchmarks/gpu_ops.py --seconds "$(($1 - 10))" --json "$out/gpu_ops.json" "${clone[@]}"
}

stage_training() {
  limit "$(($1 + 30))" "$python" benchmarks/training.py --device cuda --seconds "$1" --json "$out/training.json"
}

stage_portraits() {
  local data=()
  [ -z "${PORTRAITS:-}" ] || data=(--data "$PORTRAITS" --eval-data "$PORTRAITS")
  train_stylegan2 portraits "$1" 25000 --preset portraits128 "${data[@]}"
}

stage_unclip() {
  local priors=() system
  for system in unclip_prior unclip_ar_prior; do
    train "$system" "$(($1 / 4))" 6144 train_baseline --system "$system" --preset minifaces64 || return
    priors+=("--${system#unclip_}" "$runs/$system")
  done
  priors=("${priors[@]/--ar_prior/--ar-prior}")
  train unclip "$(($1 / 2))" 512 train_baseline --system unclip --preset minifaces64 --eval-kimg 64 "${priors[@]}" || return
  limit 60 "$python" -m styleT2I.evaluate --suite unclip --systems "$runs/unclip" --out "$out/unclip.json"
}

stage_baselines() {
  local system sentences systems=
  train damsm "$(($1 / 5))" 400 train_baseline --system damsm || return
  for system in gan_int_cls stackgan attngan dfgan; do
    sentences=()
    case $system in attngan | dfgan) sentences=(--damsm "$runs/damsm") ;; esac
    train "$system" "$(($1 / 5))" 400 train_baseline --system "$system" --eval-kimg 40 --judge "$model/judges_guide.json" \
      "${sentences[@]}" || return
    systems+="$runs/$system,"
  done
  limit 60 "$python" -m styleT2I.evaluate --suite systems --systems "${systems}minifaces" --table --out "$out/systems.json" \
    --grid "$out/systems.png"
}

embedded() { # NAME SECONDS KIMG ARGUMENTS...: StyleGAN2 at 64 pixels, and its values beside the fitted one's
  train_stylegan2 "$1" "$2" "$3" --preset minifaces64 --data minifaces:biased/train:60000 \
    --judge "$model/judges_guide.json" "${@:4}" || return
  limit 60 "$python" -m styleT2I.evaluate --suite generator --trunc 1 --generator "$runs/$1/generator.json" --out "$out/$1.json"
}

stage_finish() { embedded finish "$1" 600 --init "$model/generator.json" --d-warmup-kimg 50; }

stage_scratch() { embedded scratch "$1" 2000; }

stage_fit128() {
  limit "$1" "$python" -m styleT2I.fit_stylegan2 --resolution 128 --device cuda --outdir "$runs/fit128" || return
  limit 60 "$python" tools/pack_run.py "$runs/fit128" "$out/fit128.tar"
}

failed=() planned=0
for stage in "${stages[@]}"; do
  echo "== $stage, ${seconds[$stage]} s"
  planned=$((planned + seconds[$stage]))
  "stage_$stage" "${seconds[$stage]}" || failed+=("$stage")
done
[ -z "$is_dry" ] || echo "in all ${planned} s, and some seconds for each start and result"
[ ${#failed[@]} -eq 0 ] || { echo "gpu_work: failed: ${failed[*]}" >&2 && exit 1; }

#!/usr/bin/env bash
# The noise trained and certified with, against certified accuracy; and what the theory of two Gaussians says of such noise.
# Nothing here is published: it says which noise to take.
#
#   recipes/certified.sh                                                  # digits
#   recipes/certified.sh --data mnist --arch mlp --epochs 3 -- -n 100     # options of train, -- options of certify
#   recipes/certified.sh --data imagenette-32/ --arch cnn-small -- -n 100
#
# Prints for each noise: clean accuracy, that of the smoothed model, and certified accuracy at l2 0.25, 0.5 and 0.75, all in
# shares, with early stopping at alpha 0.001. SAMPLES is the number of draws of an image at most.
set -euo pipefail
command -v advtool > /dev/null || advtool() { "${PYTHON:-python3}" -m advtool "$@"; }
train=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do train+=("$1"); shift; done
[ $# -gt 0 ] && shift
source=() certify=("$@")
[ "${train[0]:-}" = --data ] && source=("${train[@]:0:2}")
dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT

echo "noise clean smoothed l2-0.25 l2-0.5 l2-0.75 draws"
for sigma in ${SIGMAS:-0.12 0.25 0.5}; do
    advtool train "${train[@]}" --noise "$sigma" -q -o "$dir/$sigma" 2> "$dir/log" || { cat "$dir/log" >&2; exit 1; }
    radii=$([ "$sigma" = 0.12 ] && echo 0,0.25 || echo 0,0.25,0.5,0.75)
    advtool certify --ckpt "$dir/$sigma" "${source[@]}" --radius "$radii" --samples "${SAMPLES:-10000}" "${certify[@]}" \
        --json -q |
        jq -r '[.sigma, .clean.accuracy, (.certified[].accuracy), .samples_drawn] | map(tostring) | join(" ")'
done

echo
echo "two Gaussians, 28 apart, of widths 3 and 6, trained with noise: standard error and that against the default adversary"
for noise in 0 1 2 4 8; do
    advtool theory gaussian --sigma1 3 --sigma2 6 --norm l2 --noise "$noise" --json |
        jq -r --arg noise "$noise" '"\($noise) \(.randomized.standard_error) \(.randomized.adversarial_error)"'
done

#!/usr/bin/env bash
# Objectives against plain PGD training for about the same time, under ATTACK (autoattack). Prints CPU seconds of training,
# clean accuracy and robust accuracy. Nothing here is published: it says which default is right.
#
#   recipes/objectives.sh                                                                  # digits, l2 0.5
#   recipes/objectives.sh --data mnist -n 3000 --arch cnn --width 0.25 -- linf 0.2 -n 200  # train options, norm, eps,
#                                                                                          # options of eval
# Obtained, clean and robust (AutoAttack) in %, at about equal processor time:
#             digits, l2 0.5   MNIST: 10,000 digits, cnn of width 1/4, EPOCHS=8, linf 0.2, 300 test digits (±4)
#   pgd       99.17  82.78     97.3  84.0
#   pgd-ema   99.17  82.78     97.3  83.0
#   trades    97.22  81.39     96.0  86.0
#   mart      98.89  80.83     98.0  86.0
#   fast      99.44  80.00     99.0  64.7
#   free      98.89  82.22     99.3  13.0
# TRADES, MART and PGD are within each other's error, so the default is the plain one.
#
# In passes forward and backward an image costs about 8.3 for pgd, 9.3 for trades and mart, 2.2 for fast, and 4.4 for
# free with 4 replays an epoch, of which --epochs 4 makes one; so many epochs take as long as EPOCHS of pgd.
set -euo pipefail
data=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do data+=("$1"); shift; done
[ $# -gt 0 ] && shift
norm=${1:-l2} eps=${2:-0.5} options=("${@:3}") epochs=${EPOCHS:-15} dir=$(mktemp -d)
source=("${data[@]:0:2}")
trap 'rm -r "$dir"' EXIT

row() { # NAME, tenths of an epoch for one of pgd, options
    local seconds n=$(((epochs * $2 + 5) / 10))
    TIMEFORMAT=%U
    seconds=$({ time advtool train "${data[@]}" --adv "$norm" --eps "$eps" --epochs "$n" "${@:3}" \
        --test-limit 1 -q -o "$dir/$1" 2> "$dir/log"; } 2>&1) || { cat "$dir/log" >&2; exit 1; }
    advtool eval --ckpt "$dir/$1" "${source[@]}" --adv "$norm" --eps "$eps" --attack "${ATTACK:-autoattack}" "${options[@]}" \
        --no-checks --json -q |
        jq -r --arg row "$1 $n $seconds" '"\($row) \(.clean.accuracy) \(.adversarial[0].accuracy)"'
}

echo "objective epochs seconds clean ${ATTACK:-autoattack}"
row pgd 10
row pgd-ema 10 --ema
row trades 9 --objective trades
row mart 9 --objective mart
row fast 38 --objective fast
row free 75 --objective free

#!/usr/bin/env bash
# Collins et al. 2019, Tables 2 and 3: a CNN and a fully connected network, trained plainly and robustly, on MNIST, linf.
# Needs MNIST (MNIST=mnist, or a directory of shards) and jq. N (images), EPOCHS, STEPS, SIZE (step size), EPS, NETS and
# TEST (test images) make it smaller.
#
# Published, in %, clean / robust:  CNN standard   CNN robust    FC standard    FC robust
#                        eps 0.1    99.1 / 59.4    99.5 / 96.7   97.8 / 10.4    98.7 / 90.2
#                            0.2    99.1 / 0.06    99.1 / 95.2   97.8 / 0.00    98.7 / 81.6
#                            0.3    99.1 / 0.00    99.0 / 93.0   97.8 / 0.00    97.1 / 48.1
#
# Obtained for the FC with N=10000 EPOCHS=3 STEPS=7 SIZE=0.02 TEST=1000, eps 0.1: 93.3 / 34.8 and 94.2 / 79.2.
set -euo pipefail
mnist=${MNIST:-mnist} dir=$(mktemp -d)
trap 'rm -r "$dir"' EXIT

run() { # NET, file, options
    advtool train --data "$mnist" -n "${N:-60000}" --arch "$1" --optimizer adam --lr 0.001 --schedule constant \
        --weight-decay 0 --batch-size 64 --epochs "${EPOCHS:-10}" -q -o "$dir/$2" "${@:3}"
}

report() { # NET, training, eps, file
    advtool eval --ckpt "$dir/$4" --data "$mnist" -n "${TEST:-10000}" --adv linf --eps "$3" --no-checks --json -q |
        jq -r --arg row "$1 $2 $3" '"\($row) \(.clean.accuracy) \(.adversarial[0].accuracy)"'
}

echo "net training eps clean robust"
for net in ${NETS:-cnn mlp}; do
    run "$net" standard
    for eps in ${EPS:-0.1 0.2 0.3}; do
        report "$net" standard "$eps" standard
        run "$net" "robust-$eps" --adv linf --eps "$eps" --steps "${STEPS:-100}" --step-size "${SIZE:-0.01}" \
            --attack-correct-only --test-limit 1
        report "$net" robust "$eps" "robust-$eps"
    done
done

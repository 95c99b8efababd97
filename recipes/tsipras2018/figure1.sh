#!/usr/bin/env bash
# Tsipras et al. 2018, Figure 1: standard accuracy against the radius that was trained for.
plot=(--x eps --y obtained --by norm --panels set --percent --y-label "standard accuracy" --x-label "training eps over the printed one")
. "$(dirname "$0")/common.sh"
for set in $(pick mnist "${SETS:-mnist cifar}" "mnist cifar restricted"); do
    for norm in linf l2; do
        for part in $(pick "0 1" "0 0.25 0.5 1" "0 0.25 0.5 0.75 1"); do
            eps=$(python3 -c "print(round($part * ${printed[$set-$norm]}, 6))")
            [ "$part" = 0 ] && trained "$set" none || trained "$set" $norm "$eps"
            name=figure1-$(basename "$checkpoint" .safetensors)
            report "$name" advtool eval --ckpt "$checkpoint" --data "${images[$set]}" --no-checks
            cell "$set, $norm $eps" clean.accuracy "$name" --with "set=$set" --with "norm=$norm" --with "eps=$part"
        done
    done
done

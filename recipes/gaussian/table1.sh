#!/usr/bin/env bash
# Trade-off for two Gaussians, Table 1: errors without and under attack of three trainings, for two pairs of widths. Some
# of the printed cells are misprints: `advtool theory gaussian --errata`.
. "$(dirname "$0")/../lib.sh"
for widths in "3 6" "2 18"; do
    read -r one two <<< "$widths"
    report "table1-$one-$two" advtool theory gaussian --sigma1 "$one" --sigma2 "$two"
    for training in standard adversarial randomized; do
        cell "$one and $two, $training, standard error" $training.standard_error "table1-$one-$two"
        cell "$one and $two, $training, adversarial error" $training.adversarial_error "table1-$one-$two"
    done
done

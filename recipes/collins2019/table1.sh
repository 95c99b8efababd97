#!/usr/bin/env bash
# Collins et al. 2019, Table 1: standard and robust accuracy in the modified Bernoulli model.
. "$(dirname "$0")/../lib.sh"
report table1 advtool theory bernoulli --table --seeds "$(pick 2 10 10)" -n "$(pick 300 10000 10000)" --seed "$SEED"
index=0
for eps in 0 0.1 0.2 0.3 0.4 0.5; do
    for pair in standard_standard standard_robust robust_standard robust_robust; do
        [ $eps = 0 ] && [ $pair != standard_standard ] && continue
        cell "eps $eps, ${pair/_/ training, } accuracy" "table.$index.$pair" table1
    done
    index=$((index + 1))
done

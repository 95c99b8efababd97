#!/usr/bin/env bash
# Ilyas et al. 2019, Table 7: a standard model, a robust one, and models that saw only what one of these sees.
. "$(dirname "$0")/common.sh"
builder standard
builder robust
measure D standard --data "$data" "${pgd[@]}"
measure adversarial robust --data "$data" "${pgd[@]}"
for start in image noise; do
    for name in "standard D_NR" "robust D_R"; do
        read -r from set <<< "$name"
        distilled "$from" "$start"
        measure "$set from ${start/image/images}" "on-d-$from-$start" --data "$data" "${pgd[@]}"
    done
done

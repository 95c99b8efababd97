#!/usr/bin/env bash
# Ilyas et al. 2019, Figure 8: robust accuracy against the steps of PGD, and that CW agrees with the plateau.
plot=(--x steps --y obtained --by model --log-x --percent --y-label "robust accuracy, l2 0.25" --x-label "PGD steps")
. "$(dirname "$0")/common.sh"
distilled robust image
builder robust
steps=$(pick 1,10 1,2,5,10,20,50,100,250 1,2,5,10,25,50,100,250,500,1000,2500)
few=(--data "$data" -n "$(pick 50 500 10000)" --adv l2 --eps 0.25)
for name in on-d-robust-image robust; do
    report "figure8-$name" advtool eval --ckpt "$made/$name.safetensors" "${few[@]}" --steps "$steps" --search-step-size
    index=0
    for count in ${steps//,/ }; do
        cell "$name, $count steps" "adversarial.$index.accuracy" "figure8-$name" --with "steps=$count" --with "model=$name"
        index=$((index + 1))
    done
    report "figure8-$name-cw" advtool eval --ckpt "$made/$name.safetensors" "${few[@]}" --attack cw \
        --steps "$(pick 20 200 1000)" --no-checks
    cell "$name, CW" adversarial.0.accuracy "figure8-$name-cw" --with "model=$name, CW" --with "steps=$(pick 20 200 1000)"
done

#!/usr/bin/env bash
# Ilyas et al. 2019, Figure 12: Table 7 on Restricted ImageNet (nine superclasses), as bars. RESTRICTED=DIR holds its
# shards: advtool relabel --data imagenet/ --map restricted-imagenet -o restricted/
plot=(--x set --y obtained --by eps --percent --kind bars --y-label accuracy)
. "$(dirname "$0")/../lib.sh"
data=$(pick patterns "${RESTRICTED:-restricted}" "${RESTRICTED:-restricted}") limit=$(pick 1000 "${N:-}" "")
read -ra net <<< "$(pick "" "${NET:---arch resnet18 --width 0.25 --epochs 15}" "--arch resnet50 --size 224") ${limit:+-n $limit}"
eps=$(pick 0.5 "${EPS:-0.5}" 3)
bars() { # NAME, SET
    report "figure12-$1" advtool eval --ckpt "$made/$1.safetensors" --data "$data" --adv l2 --eps "$eps" --no-checks
    cell "$2, clean" clean.accuracy "figure12-$1" --with "set=$2" --with "eps=clean"
    cell "$2, l2 $eps" adversarial.0.accuracy "figure12-$1" --with "set=$2" --with "eps=l2 $eps"
}
model restricted-standard --data "$data" "${net[@]}"
model restricted-robust --data "$data" "${net[@]}" --adv l2 --eps "$eps" --test-limit 100
bars restricted-standard D
bars restricted-robust adversarial
for name in "standard D_NR" "robust D_R"; do
    read -r from set <<< "$name"
    shards "restricted-d-$from" advtool distill --robust "$made/restricted-$from.safetensors" --data "$data" \
        ${limit:+-n "$limit"} --steps "$(pick 100 "${STEPS:-300}" 2000)"
    model "restricted-on-$from" --data "$made/restricted-d-$from/" "${net[@]}"
    bars "restricted-on-$from" "$set"
done

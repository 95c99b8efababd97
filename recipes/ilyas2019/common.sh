# Builders and training that the recipes of Ilyas et al. 2019 share (appendix C).
. "$(dirname "$0")/../lib.sh"
data=$(cifar) limit=$(pick 1000 "${N:-}" "")
net=$(pick "" "--arch resnet18 --width ${WIDTH:-0.25} --schedule one-cycle --epochs ${EPOCHS:-15}" "--arch resnet50")
read -ra net <<< "$net ${limit:+-n $limit}"
read -ra augmented <<< "$(pick "" "" "--augment crop+flip+jitter+rotate")"
pgd=(--adv l2 --eps 0.25,0.5 --steps "$(pick 20 100 100)") # the evaluation of appendix C
attack=(--adv l2 --eps 0.5 --steps "$(pick 20 100 100)" --step-size 0.1)

builder() { # standard or robust
    [ "$1" = standard ] && model standard --data "$data" "${net[@]}" "${augmented[@]}" && return
    model robust --data "$data" "${net[@]}" "${augmented[@]}" --adv l2 --eps 0.5 --steps 7 --step-size 0.1 --test-limit 1000
}

distilled() { # BUILDER, image or noise: D_R of the robust builder, D_NR of the standard one
    local steps
    steps=$([ "$2" = image ] && pick 50 "${STEPS:-300}" 1000 || pick 50 "${STEPS:-300}" 10000)
    builder "$1"
    shards "d-$1-$2" advtool distill --robust "$made/$1.safetensors" --data "$data" ${limit:+-n "$limit"} \
        --from "$2" --steps "$steps" --step-size 0.1
    model "on-d-$1-$2" --data "$made/d-$1-$2/" "${net[@]}" "${augmented[@]}"
}

relabelled() { # BUILDER, rand or det: D_rand or D_det, and a model trained on it
    local rate
    rate=$([ "$2" = rand ] && pick "" "${RAND:-}" "--lr 0.01 ${augmented[*]}" || pick "" "${DET:-}" "--augment none")
    builder "$1"
    shards "$2-$1" towards "$([ "$2" = rand ] && echo --random || echo --shift 1)" \
        --ckpt "$made/$1.safetensors" "${attack[@]}"
    # shellcheck disable=SC2086
    model "on-$2-$1" --data "$made/$2-$1/" "${net[@]}" $rate --eval-data test="$data"
}

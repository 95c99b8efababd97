# Networks that the recipes of Collins et al. 2019 share: Adam 1e-3, 10 epochs, batches of 64, PGD of 100 steps of 0.01 on the
# images that are classified correctly.
. "$(dirname "$0")/../lib.sh"
data=$(mnist)
fit=(--data "$data" -n "$(pick 300 "${N:-10000}" 60000)" --optimizer adam --lr 0.001 --schedule constant --weight-decay 0
    --batch-size 64 --epochs "$(pick 2 "${EPOCHS:-5}" 10)" --label-smoothing 0)
against=(--steps "$(pick 3 "${STEPS:-20}" 100)" --step-size "$(pick 0.1 "${SIZE:-0.03}" 0.01)" --attack-correct-only --random-start --test-limit 1)

trained() { # cnn or mlp, EPS or standard
    local arch=(--arch "$1")
    [ "$1" = cnn ] && arch=(--arch "$(pick cnn-small cnn cnn)" --width "$(pick 1 "${WIDTH:-0.25}" 1)")
    if [ "$2" = standard ]; then
        model "$1-standard" "${fit[@]}" "${arch[@]}"
    else
        model "$1-$2" "${fit[@]}" "${arch[@]}" --adv linf --eps "$2" "${against[@]}"
    fi
}

# The joint objective of Suggala et al. 2019 on few samples; risks of the test set. SEEDS are its trials.
. "$(dirname "$0")/../lib.sh"
risks() { # NAME, λ or standard; options of train and eval in ${fit[@]} and ${at[@]}
    local lam=(--lam "$2")
    model "$1" "${fit[@]}" "${at[@]}" "${lam[@]}" --test-limit 1
    report "$1" advtool eval --ckpt "$made/$1.safetensors" --data "$data" -n "$(pick 100 "${TEST:-2000}" 10000)" \
        --adv "${at[1]}" --eps "${at[3]}" --lam "$2" --no-checks
}
both() { # NAME, CELL, --with … : classification and adversarial risk
    cell "$2, R" adversarial.0.risk.classification "$1" --with risk=classification "${@:3}"
    cell "$2, R_adv" adversarial.0.risk.adversarial "$1" --with risk=adversarial "${@:3}"
}
few=(-n "$(pick 200 2000 2000)")
# The paper says SGD, and no rate. At 0.01 the classification risk of λ = 0 is the published one; at 0.1, and with Adam, it
# and the adversarial risk are lower.
sgd=(--optimizer sgd --lr 0.01 --schedule constant --weight-decay 0 --label-smoothing 0)
three=(--arch mlp --hidden "$(pick 32,32,20 512,512,320 512,512,320)" --epochs "$(pick 2 50 100)" "${sgd[@]}")
lambdas="0 0.001 0.01 0.1 1 2"

capacity() { # λ, RISK: the risk against the width of one hidden layer
    local width
    data=$(mnist) at=(--adv linf --eps 0.05 --steps "$(pick 2 10 50)" --step-size "$(pick 0.03 0.01 0.01)")
    for width in $(pick "4 16" "10 25 50 100 200 400 800" "10 25 50 100 200 400 800 1600"); do
        fit=(--data "$data" -n "$(pick 200 "${N:-10000}" 60000)" --arch mlp --hidden "$width"
            --epochs "$(pick 2 10 20)" --label-smoothing 0)
        risks "$item-$width" "$1"
        cell "$width units, $2 risk" "adversarial.0.risk.$2" "$item-$width" --with "width=$width"
    done
}

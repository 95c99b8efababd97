# The joint objective of Suggala et al. 2019 on few samples; risks of the test set. SEEDS are its trials.
. "$(dirname "$0")/../lib.sh"
risks() { # NAME, λ or standard; options of train and eval in ${fit[@]} and ${at[@]}
    local lam=(--lam "$2")
    model "$1" "${fit[@]}" "${at[@]}" "${lam[@]}" --test-limit 1
    report "$item-$1" advtool eval --ckpt "$made/$1.safetensors" --data "$data" -n "$(pick 100 "${TEST:-2000}" 10000)" \
        --adv "${at[1]}" --eps "${at[3]}" --lam "$2" --no-checks
}
both() { # NAME, CELL, --with … : classification and adversarial risk
    cell "$2, R" adversarial.0.risk.classification "$item-$1" --with risk=classification "${@:3}"
    cell "$2, R_adv" adversarial.0.risk.adversarial "$item-$1" --with risk=adversarial "${@:3}"
}
few=(-n "$(pick 200 2000 2000)")
# The paper says SGD, and no rate. At 0.01 the classification risk of λ = 0 is the published one; at 0.1, and with Adam, it
# and the adversarial risk are lower.
sgd=(--optimizer sgd --lr 0.01 --schedule constant --weight-decay 0 --label-smoothing 0)
three=(--arch mlp --hidden "$(pick 32,32,20 512,512,320 512,512,320)" --epochs "$(pick 2 50 100)" "${sgd[@]}")
lambdas="0 0.001 0.01 0.1 1 2"

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

accuracies() { # NET: clean and robust accuracy of its standard and its robust trainings, at each radius
    local eps training name
    trained "$1" standard
    for eps in $(pick 0.1 "0.1 0.2 0.3" "0.1 0.2 0.3"); do
        trained "$1" "$eps"
        for training in standard robust; do
            name=$1-$([ $training = standard ] && echo standard || echo "$eps")
            report "$item-$training-$eps" advtool eval --ckpt "$made/$name.safetensors" --data "$data" \
                -n "$(pick 50 1000 10000)" --adv linf --eps "$eps" --steps "$(pick 5 50 100)" \
                --step-size "$(pick 0.05 0.02 0.01)" --no-checks
            cell "eps $eps, $training, clean" clean.accuracy "$item-$training-$eps"
            cell "eps $eps, $training, robust" adversarial.0.accuracy "$item-$training-$eps"
        done
    done
}

gradients() { # NET: pictures of its gradients on digits and on adversarial ones, and how sparse they are
    local eps n images source
    eps=$(pick 0.1 "${EPS:-0.2}" 0.3) n=$(pick 20 500 1000)
    trained "$1" standard
    trained "$1" "$eps"
    [ -e "$made/$item.tar" ] || advtool attack --ckpt "$made/$1-standard.safetensors" --data "$data" --split test -n "$n" \
        --adv linf --eps "$eps" -q -o "$made/$item.tar"
    for images in clean adversarial; do
        source=$([ $images = clean ] && echo "$data" || echo "$made/$item.tar")
        picture "$item-$images" advtool explain --method gradient --ckpt "$made/$1-standard.safetensors" \
            --ckpt "$made/$1-$eps.safetensors" --names standard,robust --data "$source" -n "$n" --json
        cell "standard, $images, Hoyer" models.0.measures.hoyer.mean "$item-$images"
        cell "robust, $images, Hoyer" models.1.measures.hoyer.mean "$item-$images"
    done
}

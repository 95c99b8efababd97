#!/usr/bin/env bash
# Collins et al. 2019, Figure 1: gradients of the CNN, standard and robust, on digits and on adversarial ones. Hoyer's
# measure says how sparse they are.
. "$(dirname "$0")/common.sh"
eps=$(pick 0.1 "${EPS:-0.2}" 0.3)
trained cnn standard
trained cnn "$eps"
[ -e "$made/figure1.tar" ] || advtool attack --ckpt "$made/cnn-standard.safetensors" --data "$data" --split test -n "$(pick 20 500 1000)" \
    --adv linf --eps "$eps" -q -o "$made/figure1.tar"
for images in clean adversarial; do
    source=("$data" -n "$(pick 20 500 1000)")
    [ $images = adversarial ] && source=("$made/figure1.tar" -n "$(pick 20 500 1000)")
    picture figure1-$images advtool explain --method gradient --ckpt "$made/cnn-standard.safetensors" --names standard,robust \
        --ckpt "$made/cnn-$eps.safetensors" --data "${source[@]}" --json
    cp "$made/figure1-$images.picture.json" "$made/figure1-$images.json"
    cell "standard, $images, Hoyer" models.0.measures.hoyer.mean figure1-$images
    cell "robust, $images, Hoyer" models.1.measures.hoyer.mean figure1-$images
done

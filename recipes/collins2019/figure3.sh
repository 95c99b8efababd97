#!/usr/bin/env bash
# Collins et al. 2019, Figure 3: gradients of the fully connected network, standard and robust, on digits and on adversarial ones. Hoyer's
# measure says how sparse they are.
. "$(dirname "$0")/common.sh"
eps=$(pick 0.1 "${EPS:-0.2}" 0.3)
trained mlp standard
trained mlp "$eps"
[ -e "$made/figure3.tar" ] || advtool attack --ckpt "$made/mlp-standard.safetensors" --data "$data" --split test -n "$(pick 20 500 1000)" \
    --adv linf --eps "$eps" -q -o "$made/figure3.tar"
for images in clean adversarial; do
    source=("$data" -n "$(pick 20 500 1000)")
    [ $images = adversarial ] && source=("$made/figure3.tar" -n "$(pick 20 500 1000)")
    picture figure3-$images advtool explain --method gradient --ckpt "$made/mlp-standard.safetensors" --names standard,robust \
        --ckpt "$made/mlp-$eps.safetensors" --data "${source[@]}" --json
    cp "$made/figure3-$images.picture.json" "$made/figure3-$images.json"
    cell "standard, $images, Hoyer" models.0.measures.hoyer.mean figure3-$images
    cell "robust, $images, Hoyer" models.1.measures.hoyer.mean figure3-$images
done

# SPDX-License-Identifier: Apache-2.0
"""What a training run is made of: three presets, one flat dictionary each. `train.py --set name=value` overrides."""

OBJECTS = ["apple", "mug", "house", "fish", "tree", "car", "teapot", "sailboat", "mushroom", "bird", "chair", "lamp"]
NULL = "null"
HANDS = ["contour", "wobbly pen", "marker", "pencil", "outline"]
LABELS = OBJECTS + [NULL] + HANDS  # the order of classes.txt; a label's token id is codes + its index

CPU = dict(
    # the world
    size=256, style="plain", objects=7200, test_objects=240, shard=120, seed=1, test_seed=900000001, judge_seed=500000001, render_workers=1,
    # tokenizer
    stem=4, filters=96, multipliers=(1, 1, 1), blocks=1, code_dim=16, codes=512,
    perceptual_seconds=80, perceptual_weight=0.0, tokenizer_seconds=1600, tokenizer_batch=2, tokenizer_lr=4e-4, photo_share=0.65,
    ae_share=0.12, crops_until=0.3, tokenizer_log=100,
    # decoder alone, from cached tokens
    decoder_seconds=2100, decoder_batch=2, decoder_lr=5e-4, decoder_perceptual=0.0, decoder_adversary=0.3, adversary_from=0.5,
    # transformer
    layers=6, width=256, heads=8, transformer_seconds=4800, transformer_batch=16, pair_batch=8, transformer_lr=1e-3,
    warmup=150, hands_each=2, null_share=0.1, style_share=0.04, mix_share=0.35, structure_layers=(2, 3), pair_weight=1.0, pair_every=2,
    transformer_log=60,
    # machine
    device="cpu", threads=2, save_every=120,
)

# 25 minutes on one H100-class GPU: 2 of rendering ahead, 11 for each network. Not measured; batch sizes fit 40 GB.
GPU = dict(
    CPU, style="rich", objects=60000, shard=200, render_workers=14, stem=2, blocks=2, multipliers=(1, 1, 2, 2), codes=1024,
    perceptual_seconds=40, perceptual_weight=0.05, tokenizer_seconds=520, tokenizer_batch=64, tokenizer_lr=4e-4, tokenizer_log=20,
    decoder_seconds=240, decoder_batch=64, decoder_perceptual=0.1,
    layers=8, transformer_seconds=540, transformer_batch=256, pair_batch=128, transformer_lr=8e-4, warmup=300, transformer_log=20,
    device="cuda", threads=4,
)

# Two minutes for the whole chain: only shows that it runs, that losses fall and that the export loads.
TEST = dict(
    CPU, size=128, objects=96, test_objects=24, shard=24, filters=64, blocks=1, code_dim=8, codes=64,
    perceptual_seconds=8, perceptual_weight=0.05, tokenizer_seconds=30, tokenizer_log=10, decoder_seconds=8, decoder_perceptual=0.1, layers=2, width=64, heads=2, structure_layers=(1,),
    transformer_seconds=25, transformer_batch=8, pair_batch=4, warmup=10, transformer_log=8, save_every=15,
)

PRESETS = {"cpu": CPU, "gpu": GPU, "test": TEST}


def load(preset, overrides=()):
    """The preset with `name=value` strings applied; unknown names are refused."""
    config = dict(PRESETS[preset])
    for item in overrides:
        name, _, value = item.partition("=")
        if name not in config:
            raise SystemExit(f"no setting '{name}'; known: {', '.join(sorted(config))}")
        old = config[name]
        config[name] = tuple(int(v) for v in value.split(",")) if isinstance(old, tuple) else type(old)(value)
    return config

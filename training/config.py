# SPDX-License-Identifier: Apache-2.0
"""What a training run is made of: three presets, one flat dictionary each. `train.py --set name=value` overrides.

`cpu` is for the small CLIP and the judge; tokenizer and transformer are trained on a processor by `masksketch train`.
"""

OBJECTS = ["apple", "mug", "house", "fish", "tree", "car", "teapot", "sailboat", "mushroom", "bird", "chair", "lamp",
           "cat", "dog", "butterfly", "shoe", "hat", "guitar", "flower", "sun", "bicycle", "aeroplane", "cactus", "bottle"]
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
    decoder_seconds=2100, decoder_batch=2, decoder_lr=5e-4, decoder_perceptual=0.0, decoder_adversary=0.0, adversary_from=0.5,
    # transformer
    layers=6, width=256, heads=8, transformer_seconds=36000, decay_seconds=7200, warmup_seconds=60, transformer_batch=32, pair_batch=16,
    muon_lr=8e-3, transformer_lr=3e-3, hands_each=2, null_share=0.1, style_share=0.04, hint_share=0.7, wrong_share=0.3, structure_layers=(2, 3),
    pair_weight=1.0, pair_every=8,
    transformer_log=60,
    # the small CLIP: clip_main of the generator's objects, clip_objects of its own; groups x each objects a batch
    clip_main=0, clip_objects=7200, clip_test_objects=288, clip_seed=300000001, clip_test_seed=800000001, clip_render=128, clip_side=96, clip_patch=12,
    clip_layers=4, clip_width=128, clip_heads=16, clip_dimensions=96, clip_text_layers=2, clip_text_width=64, clip_text_heads=2, clip_positions=77,
    clip_trunk_seconds=850, clip_seconds=240, clip_whole_seconds=1280, clip_groups=6, clip_each=8, clip_lr=1.2e-3, clip_whole_lr=3e-4, clip_style="wide", clip_log=180,
    # machine
    device="cpu", threads=2, save_every=120,
)

# For one large GPU and its processor cores: 14 minutes, 12 of them training; with --tokenizer the transformer alone, 8. Not measured.
GPU = dict(
    CPU, style="wide", objects=36000, render_workers=16, codes=1024,
    perceptual_seconds=20, perceptual_weight=0.05, tokenizer_seconds=240, tokenizer_batch=64, tokenizer_log=20,
    decoder_seconds=90, decoder_batch=64, decoder_perceptual=0.1, decoder_adversary=0.3,
    transformer_seconds=380, decay_seconds=150, warmup_seconds=5, transformer_batch=512, pair_batch=128, transformer_log=45,
    clip_main=7200, clip_objects=2400, clip_seconds=30, clip_whole_seconds=60, clip_groups=6, clip_each=48, clip_lr=1e-3, clip_whole_lr=1e-3, clip_log=30, clip_layers=5, clip_width=192, clip_heads=16, clip_trunk_seconds=60,
    device="cuda", threads=4,
)

# Two minutes for the whole chain: only shows that it runs, that losses fall and that the export loads.
TEST = dict(
    CPU, size=128, objects=96, test_objects=24, shard=24, filters=64, blocks=1, code_dim=8, codes=64,
    perceptual_seconds=3, perceptual_weight=0.05, tokenizer_seconds=14, tokenizer_log=5, decoder_seconds=4, decoder_perceptual=0.1, layers=2, width=64, heads=2, structure_layers=(1,),
    transformer_seconds=24, decay_seconds=12, warmup_seconds=1, transformer_batch=8, pair_batch=4, transformer_log=2, save_every=15,
    clip_objects=48, clip_test_objects=24, clip_render=64, clip_side=48, clip_patch=8, clip_layers=2, clip_width=64, clip_heads=4, clip_dimensions=32,
    clip_trunk_seconds=4, clip_seconds=3, clip_whole_seconds=4, clip_each=6, clip_log=2,
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

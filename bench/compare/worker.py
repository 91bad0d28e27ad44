# SPDX-License-Identifier: Apache-2.0
"""One program that is compared, as a process of its own: `worker.py KIND MODEL THREADS`. Prepares everything, prints "ready", then for each line
"forward", "step", "encode" or "decode" on standard input runs that once and prints its seconds, or "none" where the kind does not do it; "check"
prints a checksum of logits and picture; "memory" the peak of its memory in bytes. Each kind is set up as its documentation says is fastest on a CPU.
With a fourth argument, `files`, it makes the files that the kind runs from, once, and ends: so that the memory which that takes is not counted."""
import os
import resource
import sys
import time

KIND, MODEL, THREADS = sys.argv[1], sys.argv[2], int(sys.argv[3])
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = str(THREADS)
CACHE = os.path.join(os.path.dirname(MODEL), "compare")

import numpy  # noqa: E402

import weights  # noqa: E402


def torch_parts(kind):
    import torch

    import torch_networks as networks

    torch.set_num_threads(THREADS)
    torch.set_grad_enabled(False)
    w = weights.load(MODEL)
    transformer = networks.Transformer(w["transformer"]).eval()
    if kind == "torch-int8":
        transformer = torch.ao.quantization.quantize_dynamic(transformer, {torch.nn.Linear}, dtype=torch.qint8)
        return {"transformer": lambda tokens: transformer(torch.from_numpy(tokens)).numpy()}
    encoder, decoder = networks.Encoder(w["tokenizer"]).eval(), networks.Decoder(w["tokenizer"]).eval()
    if kind == "torch-compile":
        transformer, encoder, decoder = (torch.compile(m) for m in (transformer, encoder, decoder))
    else:
        encoder, decoder = (m.to(memory_format=torch.channels_last) for m in (encoder, decoder))
    return {
        "transformer": lambda tokens: transformer(torch.from_numpy(tokens)).numpy(),
        "encode": lambda picture: encoder(torch.from_numpy(picture)).numpy(),
        "decode": lambda codes: decoder(torch.from_numpy(codes)).numpy(),
    }


PARTS = ("transformer", "encode", "decode")


def exported(part):
    """The part as an ONNX file, made once from the PyTorch network."""
    path = os.path.join(CACHE, part + ".onnx")
    if not os.path.exists(path):
        import torch

        import torch_networks as networks

        os.makedirs(CACHE, exist_ok=True)
        w = weights.load(MODEL)
        tokens, picture, codes = weights.inputs(2)
        make, example = {
            "transformer": (lambda: networks.Transformer(w["transformer"]), tokens),
            "encode": (lambda: networks.Encoder(w["tokenizer"]), picture.transpose(0, 3, 1, 2).copy()),
            "decode": (lambda: networks.Decoder(w["tokenizer"]), codes),
        }[part]
        shapes = {0: torch.export.Dim.DYNAMIC} if part == "transformer" else None
        torch.onnx.export(make().eval(), (torch.from_numpy(example),), path, dynamo=True, input_names=["x"], output_names=["y"],
                          dynamic_shapes=(shapes,) if shapes else None)
    return path


def onnx_quantised(part):
    path = os.path.join(CACHE, part + "-int8.onnx")
    if not os.path.exists(path):
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(exported(part), path, weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul", "Gemm"])
    return path


def onnx_parts(kind):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL

    def session(path):
        made = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda x: made.run(["y"], {"x": x})[0]

    if kind == "onnxruntime-int8":
        return {"transformer": session(onnx_quantised("transformer"))}
    return {part: session(exported(part)) for part in PARTS}


def openvino_quantised(part):
    """The part by NNCF's post-training quantisation, calibrated on eight inputs that are not the measured ones."""
    path = os.path.join(CACHE, part + "-int8.xml")
    if not os.path.exists(path):
        import nncf
        import openvino

        position = PARTS.index(part)
        items = [weights.inputs(2, seed)[position] for seed in range(1, 9)]
        if part == "encode":
            items = [picture.transpose(0, 3, 1, 2).copy() for picture in items]
        preset = nncf.ModelType.TRANSFORMER if part == "transformer" else None
        network = openvino.Core().read_model(exported(part))
        openvino.save_model(nncf.quantize(network, nncf.Dataset(items), model_type=preset, subset_size=len(items)), path, compress_to_fp16=False)
    return path


def openvino_parts(kind):
    """With fixed shapes, as advised where they are known: the transformer is compiled for one row and for two. The precision is said, because a
    processor that has BF16 makes OpenVINO compute fp32 networks, and what is not quantised of the others, in it."""
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "bf16" if kind == "openvino-bf16" else "f32"}
    path = openvino_quantised if kind == "openvino-int8" else exported

    def compiled(part, shape=None):
        network = core.read_model(path(part))
        if shape:
            network.reshape(shape)
        made = core.compile_model(network, "CPU", settings)
        return lambda x: made(x)[0]

    by_rows = {rows: compiled("transformer", [rows, 257]) for rows in (1, 2)}
    return {"transformer": lambda x: by_rows[len(x)](x), "encode": compiled("encode"), "decode": compiled("decode")}


def jax_parts(kind):
    """The authors' modules, unchanged, from a clone of github.com/google-research/masksketch in $MASKSKETCH_JAX; jitted as their inference code is."""
    sys.path.insert(0, os.environ["MASKSKETCH_JAX"])
    import jax
    import jax.numpy as jnp
    from masksketch.configs import vqgan_config
    from masksketch.nets import maskgit_transformer, vqgan_tokenizer

    w = weights.load(MODEL)
    params = {name: jax.tree_util.tree_map(jnp.asarray, weights.nested(flat)) for name, flat in w.items()}
    network = maskgit_transformer.Transformer(vocab_size=2025, hidden_size=768, num_hidden_layers=24, num_attention_heads=16,
                                              intermediate_size=3072, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1,
                                              max_position_embeddings=257)
    tokenizer = vqgan_tokenizer.VQVAE(config=vqgan_config.get_config(), dtype=jnp.float32, train=False)
    forward = jax.jit(lambda p, x: network.apply({"params": p}, x, deterministic=True)[..., :1024])
    encode = jax.jit(lambda p, x: tokenizer.apply({"params": p}, {"image": x}, method=tokenizer.encode_to_indices))
    decode = jax.jit(lambda p, x: tokenizer.apply({"params": p}, x, method=tokenizer.decode_from_indices))
    return {
        "transformer": lambda x: numpy.asarray(forward(params["transformer"], x)),
        "encode": lambda x: numpy.asarray(encode(params["tokenizer"], x)),
        "decode": lambda x: numpy.asarray(decode(params["tokenizer"], x)).transpose(0, 3, 1, 2),
    }


MAKERS = {"torch": torch_parts, "onnxruntime": onnx_parts, "openvino": openvino_parts, "jax": jax_parts}


def make_files():
    if KIND == "onnxruntime-int8":
        onnx_quantised("transformer")
    elif KIND == "openvino-int8":
        for part in PARTS:
            openvino_quantised(part)
    elif KIND.startswith(("onnxruntime", "openvino")):
        for part in PARTS:
            exported(part)


def main():
    if sys.argv[4:] == ["files"]:
        return make_files()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    parts = MAKERS[KIND.split("-")[0]](KIND)
    two, picture, codes = weights.inputs(2)
    one = two[:1].copy()
    if KIND != "jax":
        picture = picture.transpose(0, 3, 1, 2).copy()
    run = {"forward": lambda: parts["transformer"](one), "step": lambda: (parts["transformer"](two), parts["transformer"](one))}
    if "encode" in parts:
        run["encode"] = lambda: parts["encode"](picture)
        run["decode"] = lambda: parts["decode"](codes)
    for function in run.values():
        function()
    print("ready", flush=True)
    for line in sys.stdin:
        word = line.strip()
        if word == "check":
            logits = parts["transformer"](one)
            shown = parts["decode"](codes) if "decode" in parts else numpy.full(1, numpy.nan)
            print(f"{numpy.abs(logits).mean():.6f} {logits[0, 100, 500]:.6f} {numpy.abs(shown).mean():.6f}", flush=True)
        elif word == "memory":
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, flush=True)
        elif word in run:
            started = time.perf_counter()
            run[word]()
            print(time.perf_counter() - started, flush=True)
        else:
            print("none", flush=True)


main()

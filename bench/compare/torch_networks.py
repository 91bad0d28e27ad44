# SPDX-License-Identifier: Apache-2.0
"""The networks in PyTorch, written after docs/model.md: what PyTorch itself, ONNX Runtime and OpenVINO run."""
import torch
import torch.nn.functional as F
from torch import nn

LAYERS, HIDDEN, HEADS, CODES, VOCABULARY = 24, 768, 16, 1024, 2025


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(HIDDEN, 3 * HIDDEN)
        self.out = nn.Linear(HIDDEN, HIDDEN)
        self.attention_norm = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.up = nn.Linear(HIDDEN, 4 * HIDDEN)
        self.down = nn.Linear(4 * HIDDEN, HIDDEN)
        self.output_norm = nn.LayerNorm(HIDDEN, eps=1e-12)

    def forward(self, x):
        batch, tokens, _ = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, HEADS, HIDDEN // HEADS).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, HIDDEN)
        x = self.attention_norm(self.out(y) + x)
        return self.output_norm(self.down(F.gelu(self.up(x), approximate="tanh")) + x)


class Transformer(nn.Module):
    """Logits of the codebook's columns alone, as sampling needs them."""

    def __init__(self, weights):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, HIDDEN)
        self.positions = nn.Parameter(torch.empty(257, HIDDEN))
        self.embedding_norm = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.dense = nn.Linear(HIDDEN, HIDDEN)
        self.head_norm = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.head = nn.Linear(HIDDEN, CODES)
        self.fill(weights)

    def forward(self, tokens):
        x = self.words(torch.where(tokens < 0, VOCABULARY - 1, tokens)) + self.positions
        x = self.embedding_norm(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.head_norm(F.gelu(self.dense(x), approximate="tanh")))

    def fill(self, w):
        tensor = lambda name: torch.from_numpy(w[name])

        def linear(module, prefix):
            kernel = tensor(prefix + ".kernel")
            set_(module.weight, kernel.reshape(module.in_features, module.out_features).T)
            set_(module.bias, tensor(prefix + ".bias").reshape(-1))

        def norm(module, prefix):
            set_(module.weight, tensor(prefix + ".scale"))
            set_(module.bias, tensor(prefix + ".bias"))

        set_(self.words.weight, tensor("Embed_0.word_embeddings.embedding"))
        set_(self.positions, tensor("Embed_0.position_embeddings.embedding"))
        norm(self.embedding_norm, "Embed_0.embeddings_ln")
        for i, layer in enumerate(self.layers):
            prefix = f"TransformerLayer_{i}."
            attention = prefix + "Attention_0.self_attention."
            parts = ("query", "key", "value")
            set_(layer.qkv.weight, torch.cat([tensor(f"{attention}{p}.kernel").reshape(HIDDEN, HIDDEN).T for p in parts]))
            set_(layer.qkv.bias, torch.cat([tensor(f"{attention}{p}.bias").reshape(-1) for p in parts]))
            linear(layer.out, attention + "out")
            norm(layer.attention_norm, prefix + "Attention_0.attention_output_ln")
            linear(layer.up, prefix + "Mlp_0.intermediate_output")
            linear(layer.down, prefix + "Mlp_0.layer_output")
            norm(layer.output_norm, prefix + "Mlp_0.layer_output_ln")
        linear(self.dense, "MlmLayer_0.mlm_dense")
        norm(self.head_norm, "MlmLayer_0.mlm_ln")
        set_(self.head.weight, tensor("Embed_0.word_embeddings.embedding")[:CODES])
        set_(self.head.bias, tensor("MlmLayer_0.mlm_bias.bias")[:CODES])


def set_(parameter, value):
    with torch.no_grad():
        parameter.copy_(value)


class Block(nn.Module):
    """A residual block; where channels change, the shortcut comes from the branch (docs/model.md)."""

    def __init__(self, source, size):
        super().__init__()
        self.norms = nn.ModuleList([nn.GroupNorm(32, source, eps=1e-6), nn.GroupNorm(32, size, eps=1e-6)])
        self.convs = nn.ModuleList([conv(source, size, 3, False), conv(size, size, 3, False)])
        if source != size:
            self.convs.append(conv(size, size, 1, False))

    def forward(self, x):
        y = x
        for norm, convolution in zip(self.norms, self.convs):
            y = convolution(F.silu(norm(y)))
        return y + (self.convs[2](y) if len(self.convs) == 3 else x)

    def fill(self, w, prefix):
        for i, norm in enumerate(self.norms):
            fill_norm(norm, w, f"{prefix}.GroupNorm_{i}")
        for i, convolution in enumerate(self.convs):
            fill_conv(convolution, w, f"{prefix}.Conv_{i}")


def conv(source, size, kernel, bias=True):
    return nn.Conv2d(source, size, kernel, padding=kernel // 2, bias=bias)


def fill_conv(module, w, prefix):
    set_(module.weight, torch.from_numpy(w[prefix + ".kernel"]).permute(3, 2, 0, 1))
    if module.bias is not None:
        set_(module.bias, torch.from_numpy(w[prefix + ".bias"]))


def fill_norm(module, w, prefix):
    set_(module.weight, torch.from_numpy(w[prefix + ".scale"]))
    set_(module.bias, torch.from_numpy(w[prefix + ".bias"]))


CHANNELS = (128, 128, 256, 256, 512)


class Encoder(nn.Module):
    """Picture (batch x 3 x 256 x 256) -> codes."""

    def __init__(self, w):
        super().__init__()
        self.first, self.last = conv(3, 128, 3, False), conv(512, 256, 1)
        blocks, source = [], 128
        for size in CHANNELS + (512,):
            blocks += [Block(source, size), Block(size, size)]
            source = size
        self.blocks, self.norm = nn.ModuleList(blocks), nn.GroupNorm(32, 512, eps=1e-6)
        self.register_buffer("codebook", torch.from_numpy(w["quantizer.codebook"]))
        fill_conv(self.first, w, "encoder.Conv_0")
        fill_conv(self.last, w, "encoder.Conv_1")
        fill_norm(self.norm, w, "encoder.GroupNorm_0")
        for i, block in enumerate(blocks):
            block.fill(w, f"encoder.ResBlock_{i}")

    def forward(self, x):
        x = self.first(x)
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i % 2 == 1 and i < 8:
                x = F.avg_pool2d(x, 2)
        x = self.last(F.silu(self.norm(x))).permute(0, 2, 3, 1).reshape(-1, 256)
        return torch.argmin((self.codebook**2).sum(1) - 2 * x @ self.codebook.T, dim=1)


class Decoder(nn.Module):
    """Codes (batch x 16 x 16) -> picture (batch x 3 x 256 x 256)."""

    def __init__(self, w):
        super().__init__()
        self.first, self.last = conv(256, 512, 3), conv(128, 3, 3)
        blocks, source = [Block(512, 512), Block(512, 512)], 512
        for size in reversed(CHANNELS):
            blocks += [Block(source, size), Block(size, size)]
            source = size
        self.blocks = nn.ModuleList(blocks)
        self.widening = nn.ModuleList(conv(size, size, 3) for size in reversed(CHANNELS[1:]))
        self.norm = nn.GroupNorm(32, 128, eps=1e-6)
        self.register_buffer("codebook", torch.from_numpy(w["quantizer.codebook"]))
        fill_conv(self.first, w, "decoder.Conv_0")
        fill_conv(self.last, w, "decoder.Conv_5")
        fill_norm(self.norm, w, "decoder.GroupNorm_0")
        for i, block in enumerate(blocks):
            block.fill(w, f"decoder.ResBlock_{i}")
        for i, convolution in enumerate(self.widening):
            fill_conv(convolution, w, f"decoder.Conv_{i + 1}")

    def forward(self, codes):
        x = self.first(F.embedding(codes.long(), self.codebook).permute(0, 3, 1, 2))
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i % 2 == 1 and 3 <= i < 10:
                x = self.widening[(i - 3) // 2](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.last(F.silu(self.norm(x)))

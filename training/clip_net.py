# SPDX-License-Identifier: Apache-2.0
"""Both towers of a CLIP in PyTorch with Hugging Face's parameter names, and the files that Hugging Face's layout has."""
import json
import math
import os
import struct

import torch
import torch.nn as nn
import torch.nn.functional as F

import clip_words


class _Attention(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x):
        three = self.q_proj, self.k_proj, self.v_proj
        joined = F.linear(x, torch.cat([p.weight for p in three]), torch.cat([p.bias for p in three]))
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in joined.chunk(3, -1))
        return self.out_proj(F.scaled_dot_product_attention(q, k, v, is_causal=self.causal).transpose(1, 2).flatten(2))


    def first(self, x):
        """What the first token gets, N x width."""
        q, k, v = self.q_proj(x[:, :1]), self.k_proj(x), self.v_proj(x)
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))
        share = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1)
        return self.out_proj((share @ v).transpose(1, 2).flatten(1))


class _Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        h = self.fc1(x)
        return self.fc2(h * torch.sigmoid(1.702 * h))


class _Layer(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.self_attn, self.mlp = _Attention(width, heads, causal), _Mlp(width)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x):
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))

    def first(self, x):
        """The first token alone, N x width."""
        h = self.layer_norm1(x)
        x = x[:, 0] + self.self_attn.first(h)
        return x + self.mlp(self.layer_norm2(x))


class _Encoder(nn.Module):
    def __init__(self, layers, width, heads, causal):
        super().__init__()
        self.layers = nn.ModuleList(_Layer(width, heads, causal) for _ in range(layers))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class _TextEmbeddings(nn.Module):
    def __init__(self, vocabulary, positions, width):
        super().__init__()
        self.token_embedding, self.position_embedding = nn.Embedding(vocabulary, width), nn.Embedding(positions, width)

    def forward(self, ids):
        return self.token_embedding(ids) + self.position_embedding.weight[:ids.shape[1]]


class _Text(nn.Module):
    def __init__(self, vocabulary, positions, layers, width, heads):
        super().__init__()
        self.embeddings, self.encoder = _TextEmbeddings(vocabulary, positions, width), _Encoder(layers, width, heads, True)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, ids, ends):
        x = self.encoder(self.embeddings(ids))
        return self.final_layer_norm(x[torch.arange(len(x), device=x.device), ends])


class _VisionEmbeddings(nn.Module):
    """The class token starts as zero and stays so: all it holds behind the first attention is the picture. With an embedding of its own, which the
    first norm brings to length, the picture's share of it is small, all cosines are alike, and hundreds of steps go by before anything is learned."""

    def __init__(self, side, patch, width):
        super().__init__()
        self.class_embedding = nn.Parameter(torch.zeros(width), requires_grad=False)
        self.patch_embedding = nn.Conv2d(3, width, patch, patch, bias=False)
        self.position_embedding = nn.Embedding((side // patch) ** 2 + 1, width)
        self.position_embedding.weight.data.copy_(_grid(side // patch, width))

    def forward(self, pixels):
        x = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        return F.pad(x + self.position_embedding.weight[1:], (0, 0, 1, 0))


def _grid(side, width):
    """Smooth 2-D features to start positions from; row 0, of the class token, is zero and is never used."""
    place, waves = torch.arange(side) / side, 2 * math.pi * 0.5 * (1 + torch.arange(width // 4))
    wave = torch.cat([torch.sin(place[:, None] * waves), torch.cos(place[:, None] * waves)], 1)
    y, x = wave[:, None].expand(-1, side, -1), wave[None].expand(side, -1, -1)
    rows = F.pad(torch.cat([y, x], -1).reshape(side * side, -1), (0, width - 4 * (width // 4)))
    return 0.5 * torch.cat([torch.zeros(1, width), rows])


class _Vision(nn.Module):
    def __init__(self, side, patch, layers, width, heads):
        super().__init__()
        self.embeddings, self.encoder = _VisionEmbeddings(side, patch, width), _Encoder(layers, width, heads, False)
        self.pre_layrnorm, self.post_layernorm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.pre_layrnorm.bias.requires_grad_(False)  # zero, for the class token's sake

    def trunk(self, pixels):
        """All tokens before the last layer, N x (1 + P) x width."""
        x = self.pre_layrnorm(self.embeddings(pixels))
        for layer in self.encoder.layers[:-1]:
            x = layer(x)
        return x

    def pool(self, x):
        """The class token behind the last layer and norm: only its row is computed."""
        return self.post_layernorm(self.encoder.layers[-1].first(x))



class Clip(nn.Module):
    """Parameters have Hugging Face's names."""

    def __init__(self, config, vocabulary):
        super().__init__()
        c = config
        self.text_model = _Text(vocabulary, c["clip_positions"], c["clip_text_layers"], c["clip_text_width"], c["clip_text_heads"])
        self.vision_model = _Vision(c["clip_side"], c["clip_patch"], c["clip_layers"], c["clip_width"], c["clip_heads"])
        self.visual_projection = nn.Linear(c["clip_width"], c["clip_dimensions"], bias=False)
        self.text_projection = nn.Linear(c["clip_text_width"], c["clip_dimensions"], bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(20.0)))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features ** -0.5 * (0.5 if module.out_features == module.in_features else 1))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        # Bytes start at zero, and those that no training text has stay there: an unknown word then says next to nothing.
        nn.init.normal_(self.text_model.embeddings.token_embedding.weight, std=0.1)
        self.text_model.embeddings.token_embedding.weight.data[:512] = 0
        nn.init.normal_(self.text_model.embeddings.position_embedding.weight, std=0.03)

    def pictures(self, pixels):
        """N x 3 x S x S -> unit vectors."""
        return self.project(self.vision_model.trunk(pixels))

    def project(self, tokens):
        """What the trunk gives -> unit vectors."""
        return F.normalize(self.visual_projection(self.vision_model.pool(tokens)).float(), dim=-1)

    def texts(self, ids, ends):
        return F.normalize(self.text_projection(self.text_model(ids, ends)).float(), dim=-1)


# ---- export ----

def _save_tensors(path, tensors):
    """safetensors: u64 length, JSON header padded to 8, data; F16."""
    header, at, parts = {}, 0, []
    for name, tensor in tensors.items():
        data = tensor.detach().to(torch.float16).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(parts))
    os.replace(path + ".part", path)


def hugging_face_config(config, words):
    def tower(kind, layers, width, heads, **more):
        return dict(model_type=f"clip_{kind}_model", hidden_act="quick_gelu", layer_norm_eps=1e-5, num_hidden_layers=layers, hidden_size=width,
                    intermediate_size=4 * width, num_attention_heads=heads, projection_dim=config["clip_dimensions"], **more)
    c = config
    return dict(architectures=["CLIPModel"], model_type="clip", projection_dim=c["clip_dimensions"], torch_dtype="float16",
                text_config=tower("text", c["clip_text_layers"], c["clip_text_width"], c["clip_text_heads"], max_position_embeddings=c["clip_positions"],
                                  vocab_size=len(words.vocabulary), bos_token_id=words.start, eos_token_id=words.end, pad_token_id=words.end),
                vision_config=tower("vision", c["clip_layers"], c["clip_width"], c["clip_heads"], image_size=c["clip_side"], patch_size=c["clip_patch"], num_channels=3))


def export(net, words, config, folder):
    os.makedirs(folder, exist_ok=True)
    clip_words.write(words, folder)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(hugging_face_config(config, words), f, indent=1)
        f.write("\n")
    _save_tensors(os.path.join(folder, "model.safetensors"), net.state_dict())

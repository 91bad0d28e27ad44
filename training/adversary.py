# SPDX-License-Identifier: Apache-2.0
"""The adversary of the decoder's last phase: a patch discriminator with hinge loss (as in VQGAN, Esser et al. 2021).

Where tokens leave open how an edge runs, a pixel loss paints the average, which is blur; the adversary makes the decoder decide.
Its weight is set on the picture: its gradient there is scaled to a share of the reconstruction's, so neither can drown the other.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F


def _conv(inputs, outputs, stride):
    return nn.Conv2d(inputs, outputs, 4 if stride == 2 else 3, stride, 1)


class Adversary(nn.Module):
    """Pictures N x 3 x H x W in [0,1] -> one verdict a patch of about 40 x 40 pixels."""

    def __init__(self, width=32):
        super().__init__()
        self.body = nn.Sequential(_conv(3, width, 2), nn.LeakyReLU(0.2), _conv(width, 2 * width, 2), nn.LeakyReLU(0.2),
                                  _conv(2 * width, 4 * width, 2), nn.LeakyReLU(0.2), _conv(4 * width, 1, 1))

    def forward(self, x):
        return self.body(x * 2 - 1)


def shuffle_side(x):
    """Half of the pictures mirrored: the adversary must not learn which side the light comes from."""
    flip = torch.rand(len(x), device=x.device) < 0.5
    return torch.where(flip[:, None, None, None], x.flip(-1), x)


class Duel:
    """One adversary with its optimiser."""

    def __init__(self, device, rate, state=None):
        self.net = Adversary().to(device, memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), rate, betas=(0.5, 0.9), weight_decay=1e-3)
        if state:
            self.net.load_state_dict(state["net"])
            self.optimiser.load_state_dict(state["optimiser"])
        self.device = device

    def state(self):
        return dict(net=self.net.state_dict(), optimiser=self.optimiser.state_dict())

    def gradient(self, y):
        """What the picture should change to look real: d(-verdict)/dy."""
        y = y.detach().requires_grad_(True)
        with torch.autocast(self.device, dtype=torch.bfloat16):
            loss = -self.net(y).float().mean()
        return torch.autograd.grad(loss, y)[0]

    def learn(self, real, fake):
        """One hinge step. -> the loss; 2 means that it sees no difference, 0 that it is never wrong."""
        with torch.autocast(self.device, dtype=torch.bfloat16):
            a, b = self.net(torch.cat([shuffle_side(real), shuffle_side(fake.detach())])).float().chunk(2)
        loss = F.relu(1 - a).mean() + F.relu(1 + b).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return float(loss.detach())


def blend(reconstruction, adversary, share):
    """The two gradients on a picture, the second scaled to `share` of the first's norm."""
    return reconstruction + share * adversary * (reconstruction.norm() / adversary.norm().clamp_min(1e-12))

"""NCSN++ and the image step of DDAEBM in plain PyTorch: the peer of the bench "ncsnpp".

    --task forward    E(x, t) of the energy network
    --task gradient   E and its gradient in x
    --task step       one iteration: energy step with R1 penalty, then generator and encoder; EMA

Networks for 32x32 images as in the paper but for the width of the first level (--width). The images
are random: the time does not depend on what they show.
"""

import math

import driver

parser = driver.torch_parser(__doc__)
parser.set_defaults(iters=5, warmup=2)
parser.add_argument("--task", choices=("forward", "gradient", "step"), default="step")
parser.add_argument("--width", type=int, default=32)
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--levels", default="1,2,2,2")
parser.add_argument("--blocks", type=int, default=2)
if __name__ == "__main__":
    args = parser.parse_args()
    driver.limit_threads(args.threads)

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from toy_step import Schedule, adam, energy_losses, fastest_adam, log_normal  # noqa: E402

SIZE, LATENT, STYLE, MAPPING, STEPS = 32, 100, 256, 4, 4
R1_GAMMA, LATENT_WEIGHT, EMA = 0.02, 0.1, 0.9999
# The variance of t = 1, below which that of the reconstruction does not go.
VARIANCE_FLOOR = 0.4408679
RESCALE = 2**-0.5


def embedding(t, dim):
    half = dim // 2
    rates = torch.exp(torch.arange(half) * (-math.log(10000.0) / (half - 1)))
    angle = t[:, None].float() * rates
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def fir(x, up=1, down=1, pad=(0, 0), gain=1.0):
    """Low-pass [1, 3, 3, 1] on every channel after zero insertion, before leaving out samples."""
    n, c, h, w = x.shape
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = torch.outer(taps, taps) * (gain / 64)
    x = x.reshape(n * c, 1, h, w)
    if up > 1:
        x = F.pad(x[:, :, :, None, :, None], (0, up - 1, 0, 0, 0, up - 1))
        x = x.reshape(n * c, 1, h * up, w * up)
    x = F.conv2d(F.pad(x, (pad[0], pad[1]) * 2), kernel[None, None], stride=down)
    return x.reshape(n, c, *x.shape[2:])


def upsample(x):
    return fir(x, up=2, pad=(2, 1), gain=4.0)


def downsample(x):
    return fir(x, down=2, pad=(1, 1))


def group_norm(channels, affine=True):
    return nn.GroupNorm(min(channels // 4, 32), channels, eps=1e-6, affine=affine)


class StyledNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm, self.style = group_norm(channels, affine=False), nn.Linear(STYLE, 2 * channels)
        self.style.bias.data[:channels] = 1
        self.style.bias.data[channels:] = 0

    def forward(self, x, style):
        gamma, beta = self.style(style)[:, :, None, None].chunk(2, dim=1)
        return gamma * self.norm(x) + beta


class Block(nn.Module):
    def __init__(self, inputs, outputs, time_dim, styled, resample=None):
        super().__init__()
        make = StyledNorm if styled else group_norm
        self.norms = nn.ModuleList([make(inputs), make(outputs)])
        self.convs = nn.ModuleList(
            [nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)]
        )
        self.time, self.styled, self.resample = nn.Linear(time_dim, outputs), styled, resample
        skips = inputs != outputs or resample is not None
        self.skip = nn.Conv2d(inputs, outputs, 1) if skips else None

    def forward(self, x, temb, style):
        norm = lambda i, h: self.norms[i](h, style) if self.styled else self.norms[i](h)  # noqa: E731
        h = F.silu(norm(0, x))
        if self.resample is not None:
            h, x = self.resample(h), self.resample(x)
        h = self.convs[0](h) + self.time(temb)[:, :, None, None]
        h = self.convs[1](F.silu(norm(1, h)))
        x = x if self.skip is None else self.skip(x)
        return (x + h) * RESCALE


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = group_norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        n, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(n, 3, c, h * w).unbind(1)
        weights = torch.softmax(torch.bmm(q.transpose(1, 2), k) * c**-0.5, dim=-1)
        seen = torch.bmm(v, weights.transpose(1, 2)).reshape(n, c, h, w)
        return (x + self.out(seen)) * RESCALE


class UNet(nn.Module):
    def __init__(self, width, multipliers, blocks, styled):
        super().__init__()
        time_dim = 4 * width
        self.width, self.blocks, self.levels = width, blocks, len(multipliers)
        self.time = nn.Sequential(
            nn.Linear(width, time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim), nn.SiLU()
        )
        make = lambda i, o, r=None: Block(i, o, time_dim, styled, r)  # noqa: E731
        self.entry = nn.Conv2d(3, width, 3, padding=1)
        sizes = [SIZE // 2**i for i in range(self.levels)]
        self.attends = [s == 16 for s in sizes]
        skips, channels, pyramid = [width], width, 3
        self.down = nn.ModuleList()
        for level, multiplier in enumerate(multipliers):
            stage = nn.ModuleDict({"blocks": nn.ModuleList(), "attention": nn.ModuleList()})
            for _ in range(blocks):
                stage["blocks"].append(make(channels, width * multiplier))
                channels = width * multiplier
                if self.attends[level]:
                    stage["attention"].append(Attention(channels))
                skips.append(channels)
            if level < self.levels - 1:
                stage["halve"] = make(channels, channels, downsample)
                stage["pyramid"] = nn.Conv2d(pyramid, channels, 3, stride=2)
                pyramid = channels
                skips.append(channels)
            self.down.append(stage)
        self.middle = nn.ModuleList([make(channels, channels), make(channels, channels)])
        self.middle_attention = Attention(channels)
        self.up = nn.ModuleList()
        for level in reversed(range(self.levels)):
            stage = nn.ModuleDict({"blocks": nn.ModuleList()})
            for _ in range(blocks + 1):
                stage["blocks"].append(make(channels + skips.pop(), width * multipliers[level]))
                channels = width * multipliers[level]
            if self.attends[level]:
                stage["attention"] = Attention(channels)
            if level > 0:
                stage["enlarge"] = make(channels, channels, upsample)
            self.up.append(stage)
        self.norm, self.exit = group_norm(channels), nn.Conv2d(channels, 3, 3, padding=1)
        nn.init.uniform_(self.exit.weight, -1e-5, 1e-5)

    def forward(self, x, t, style=None):
        temb = self.time(embedding(t, self.width))
        h, pyramid = self.entry(x), x
        skips = [h]
        for stage in self.down:
            for i, block in enumerate(stage["blocks"]):
                h = block(h, temb, style)
                if len(stage["attention"]) > 0:
                    h = stage["attention"][i](h)
                skips.append(h)
            if "halve" in stage:
                h = stage["halve"](h, temb, style)
                pyramid = (stage["pyramid"](fir(pyramid, pad=(2, 2))) + h) * RESCALE
                h = pyramid
                skips.append(h)
        h = self.middle[1](self.middle_attention(self.middle[0](h, temb, style)), temb, style)
        for stage in self.up:
            for block in stage["blocks"]:
                h = block(torch.cat([h, skips.pop()], dim=1), temb, style)
            if "attention" in stage:
                h = stage["attention"](h)
            if "enlarge" in stage:
                h = stage["enlarge"](h, temb, style)
        return self.exit(F.silu(self.norm(h)))


class Energy(nn.Module):
    def __init__(self, *sizes):
        super().__init__()
        self.net = UNet(*sizes, styled=False)

    def forward(self, x, t):
        return -0.5 * (x - self.net(x, t)).square().sum((1, 2, 3))


class Generator(nn.Module):
    def __init__(self, *sizes):
        super().__init__()
        self.net = UNet(*sizes, styled=True)
        dims = [LATENT] + [STYLE] * (MAPPING + 1)
        self.mapping = nn.ModuleList(nn.Linear(a, b) for a, b in zip(dims, dims[1:]))

    def forward(self, x_next, z, t):
        h = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for layer in self.mapping:
            h = F.silu(layer(h))
        return torch.tanh(self.net(x_next, t, h))


class Encoder(nn.Module):
    def __init__(self, width, time_dim=256):
        super().__init__()
        widths = [6, width, 2 * width, 4 * width, 8 * width]
        self.time_dim = time_dim
        self.embed = nn.Sequential(
            nn.Linear(time_dim, time_dim),
            nn.LeakyReLU(0.2),
            nn.Linear(time_dim, time_dim),
            nn.LeakyReLU(0.2),
        )
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, *((3, 1, 1) if i == 0 else (4, 2, 1)), bias=False)
            for i, (a, b) in enumerate(zip(widths, widths[1:]))
        )
        self.time = nn.ModuleList(nn.Linear(time_dim, b) for b in widths[1:])
        self.mean, self.log_variance = (nn.Conv2d(8 * width, LATENT, 4) for _ in range(2))

    def forward(self, x, x_next, t):
        temb, h = self.embed(embedding(t, self.time_dim)), torch.cat([x, x_next], dim=1)
        for conv, time in zip(self.convs, self.time):
            h = F.leaky_relu(conv(h), 0.2) + time(temb)[:, :, None, None]
        return self.mean(h).flatten(1), self.log_variance(h).flatten(1)


class Average:
    """Moving average of parameters after every step."""

    def __init__(self, parameters):
        self.parameters = list(parameters)
        self.values = [p.detach().clone() for p in self.parameters]

    @torch.no_grad()
    def update(self):
        torch._foreach_mul_(self.values, EMA)
        torch._foreach_add_(self.values, self.parameters, alpha=1 - EMA)


def with_penalty(real, fake, slope):
    penalty = 0.5 * R1_GAMMA * slope.square().sum((1, 2, 3)).mean()
    return (fake - real).mean() + penalty


energy_loss, energy_loss_for_compile = energy_losses(with_penalty)


def generator_loss(energy, generator, encoder, x, x_next, fake, n, t, c):
    variance = c["std"].square().clamp(min=VARIANCE_FLOOR)
    mean, log_variance = encoder(x, x_next, t)
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
    z = mean + torch.exp(0.5 * log_variance) * n["eps"]
    clean = generator(x_next, z, t)
    reconstruction = -log_normal(x, c["c1"] * clean + c["c2"] * x_next, variance)
    likelihood = energy(fake, t)
    likelihood = likelihood + log_normal(x_next, c["a_next"] * fake, c["s_next"].square())
    mean, log_variance = encoder(fake, x_next, t)
    square = (n["z"] - mean).square() / (1e-6 + log_variance.exp())
    latent = 0.5 * (log_variance + square).sum(1)
    return (kl + reconstruction - likelihood + LATENT_WEIGHT * latent).mean()


class Step:
    def __init__(self, batch, width, levels, blocks, half, compiled):
        self.batch, self.half = batch, half
        self.energy = Energy(width, levels, blocks)
        self.generator, self.encoder = Generator(width, levels, blocks), Encoder(width)
        self.schedule = Schedule(beta_min=0.1, beta_max=20.0)
        kind = fastest_adam()
        both = [*self.generator.parameters(), *self.encoder.parameters()]
        self.energy_optimiser = adam(self.energy.parameters(), kind)
        self.generator_optimiser = adam(both, kind)
        self.averages = Average(self.energy.parameters()), Average(both)
        cast = half.cast
        self.generate = cast(self.generator)
        self.energy_loss, self.generator_loss = cast(energy_loss), cast(generator_loss)
        if compiled:
            self.energy_loss = torch.compile(cast(energy_loss_for_compile))
            self.generator_loss = torch.compile(self.generator_loss)
            self.generator.compile()

    def draw(self):
        image = (self.batch, 3, SIZE, SIZE)
        noise = {name: torch.randn(image) for name in ("x_t", "x_next", "posterior")}
        noise |= {name: torch.randn(self.batch, LATENT) for name in ("z", "eps")}
        data = torch.rand(image) * 2 - 1
        return {"data": data, "t": torch.randint(STEPS, (self.batch,)), **noise}

    def step(self, n):
        t = n["t"]
        c = {k: v[:, :, None, None] for k, v in self.schedule.at(t).items()}
        x = c["a_bar"] * n["data"] + c["s_bar"] * n["x_t"]
        x_next = c["a_next"] * x + c["s_next"] * n["x_next"]
        fake = c["c1"] * self.generate(x_next, n["z"], t) + c["c2"] * x_next
        fake = fake + c["std"] * n["posterior"]

        self.energy.requires_grad_(True)
        loss = self.energy_loss(self.energy, x, x_next, fake, t, c)
        self.half.descend(loss, self.energy_optimiser)

        self.energy.requires_grad_(False)
        networks = self.energy, self.generator, self.encoder
        loss = self.generator_loss(*networks, x, x_next, fake, n, t, c)
        self.half.descend(loss, self.generator_optimiser)
        self.half.update()
        for average in self.averages:
            average.update()


class Evaluation:
    """The energy network alone, with or without its gradient in x."""

    def __init__(self, batch, width, levels, blocks, half, compiled, gradient):
        self.batch, self.gradient = batch, gradient
        self.energy = half.cast(Energy(width, levels, blocks).requires_grad_(False))
        if compiled:
            self.energy = torch.compile(self.energy)

    def draw(self):
        return torch.randn(self.batch, 3, SIZE, SIZE)

    def step(self, x):
        t = torch.zeros(self.batch, dtype=torch.long)
        if not self.gradient:
            return self.energy(x, t)
        x.requires_grad_()
        return torch.autograd.grad(self.energy(x, t).sum(), x)[0]


if __name__ == "__main__":
    torch.set_num_threads(args.threads)
    driver.use_device(args)
    torch.manual_seed(args.seed)
    sizes = (args.batch, args.width, [int(v) for v in args.levels.split(",")], args.blocks)
    how = driver.Half(args.device, args.precision), args.compile
    if args.task == "step":
        trainer = Step(*sizes, *how)
    else:
        trainer = Evaluation(*sizes, *how, gradient=args.task == "gradient")
    driver.main(
        args,
        driver.title(args, f", NCSN++ {args.task}"),
        {"torch": torch.__version__, "adam": fastest_adam()},
        trainer.draw,
        trainer.step,
    )

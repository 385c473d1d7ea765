"""One iteration on MNIST with a NICE energy in plain PyTorch.

    --method mle      maximum likelihood of NICE (15 M parameters, Softplus)
    --method ddaebm   DDAEBM with the time-conditioned NICE, generator and encoder of Table 7

Batch 128. The pixels are random bytes: the time does not depend on what the digits look like.
"""

import math

import driver

parser = driver.torch_parser(__doc__)
parser.set_defaults(iters=20, warmup=3)
parser.add_argument("--method", choices=("mle", "ddaebm"), default="mle")
if __name__ == "__main__":
    args = parser.parse_args()
    driver.limit_threads(args.threads)

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import toy_step  # noqa: E402
from toy_step import MLP, Schedule, adam, fastest_adam  # noqa: E402

BATCH, DIM, LATENT, TIME_DIM = 128, 784, 50, 50
R1_GAMMA, LATENT_WEIGHT, FAKE_WEIGHT = 0.02, 0.1, 0.1


class Coupling(nn.Module):
    """The shift of an additive coupling: `layers` affine layers, an activation between them."""

    def __init__(self, half, hidden, layers):
        super().__init__()
        sizes = [half, *[hidden] * (layers - 1), half]
        self.depth = layers
        for k, (a, b) in enumerate(zip(sizes, sizes[1:])):
            setattr(self, f"dense{k + 1}", nn.Linear(a, b))

    def forward(self, h, activate):
        for k in range(self.depth - 1):
            h = activate(k, getattr(self, f"dense{k + 1}")(h))
        return getattr(self, f"dense{self.depth}")(h)


class Scale(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.scales = nn.Parameter(torch.zeros(1, size))


class Nice(nn.Module):
    """Even coordinates first, four alternating additive couplings, a diagonal scale; N(0, I)."""

    def __init__(self, size=DIM, hidden=1000, layers=5):
        super().__init__()
        for i in range(4):
            setattr(self, f"nice{i + 1}", Coupling(size // 2, hidden, layers))
        self.scale = Scale(size)

    def transform(self, x, activations):
        u, v = x[:, 0::2], x[:, 1::2]
        for i in range(0, 4, 2):
            v = v + getattr(self, f"nice{i + 1}")(u, activations(i))
            u = u + getattr(self, f"nice{i + 2}")(v, activations(i + 1))
        return torch.cat([u, v], dim=1) * torch.exp(self.scale.scales)

    def forward(self, x, activations=lambda i: lambda k, h: F.softplus(h)):
        """log p(x)."""
        y = self.transform(x, activations)
        base = -0.5 * (x.shape[1] * math.log(2 * math.pi) + y.square().sum(1))
        return base + self.scale.scales.sum()


class TimeNice(nn.Module):
    """NICE whose hidden layers each get PReLU(V e(t) + c) added."""

    def __init__(self, size=DIM, hidden=1000, layers=5, time_dim=TIME_DIM, prelu=True):
        super().__init__()
        self.base = Nice(size, hidden, layers)
        each = lambda make: nn.ModuleList(  # noqa: E731
            nn.ModuleList(make() for _ in range(layers - 1)) for _ in range(4)
        )
        self.time = each(lambda: nn.Linear(time_dim, hidden))
        self.tact = each(nn.PReLU)
        # Table 7 has PReLU where the network without time has Softplus.
        self.act = each(nn.PReLU) if prelu else None
        half = time_dim // 2
        frequencies = torch.exp(torch.arange(half) * (-math.log(10000.0) / (half - 1)))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, x, t):
        angle = t[:, None] * self.frequencies
        e = torch.cat([angle.sin(), angle.cos()], dim=1)

        def activations(i):
            def activate(k, h):
                h = F.softplus(h) if self.act is None else self.act[i][k](h)
                return h + self.tact[i][k](self.time[i][k](e))

            return activate

        return self.base(x, activations)


class Conditioned(nn.Module):
    """[x branch, time branch] -> decoder, as in Table 7 (the decoder by analogy with the toy)."""

    def __init__(self, x_sizes, decoder):
        super().__init__()
        self.x_encoder, self.t_encoder = MLP(x_sizes), MLP([TIME_DIM, 50, 100])
        self.net = MLP([x_sizes[-1] + 100, *decoder])
        half = TIME_DIM // 2
        frequencies = torch.exp(torch.arange(half) * (-math.log(10000.0) / (half - 1)))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def features(self, x, t):
        angle = t[:, None] * self.frequencies
        embedding = torch.cat([angle.sin(), angle.cos()], dim=1)
        return self.net(torch.cat([self.x_encoder(x), self.t_encoder(embedding)], dim=1))


class Generator(Conditioned):
    def __init__(self):
        super().__init__([DIM + LATENT, 1600, 1600], [1600, 1600, DIM])

    def forward(self, x_next, z, t):
        return self.features(torch.cat([x_next, z], dim=1), t)


class Encoder(Conditioned):
    def __init__(self):
        super().__init__([2 * DIM, 3200, 1600], [1600, 1600, 1600])
        self.fc_mu, self.fc_var = nn.Linear(1600, LATENT), nn.Linear(1600, LATENT)

    def forward(self, x, x_next, t):
        h = self.features(torch.cat([x, x_next], dim=1), t)
        return self.fc_mu(h), self.fc_var(h)


def preprocess(pixels, uniform):
    """Logit of dequantised pixels (0..255)."""
    p = pixels / 255 + (uniform - 0.5) / 256
    return torch.logit(p.clamp(1e-3, 1 - 1e-3))


class Pixels:
    def __init__(self, count=2048):
        self.bank = torch.randint(256, (count, DIM), dtype=torch.uint8)

    def draw(self):
        index = torch.randint(len(self.bank), (BATCH,))
        return preprocess(self.bank[index].float(), torch.rand(BATCH, DIM))


def negative_likelihood(nice, x):
    return -nice(x).mean()


class Likelihood:
    def __init__(self, half, compiled):
        self.nice, self.pixels, self.half = Nice(), Pixels(), half
        self.optimiser = adam(self.nice.parameters(), fastest_adam())
        self.draw = self.pixels.draw
        self.loss = half.cast(negative_likelihood)
        if compiled:
            self.loss = torch.compile(self.loss)

    def step(self, x):
        self.half.descend(self.loss(self.nice, x), self.optimiser)
        self.half.update()


def with_penalty(real, fake, slope):
    penalty = 0.5 * R1_GAMMA * slope.square().sum(1).mean()
    # The weight keeps the normalised energy from pushing density out of reach (Sec. 4.2).
    return (FAKE_WEIGHT * fake - real).mean() + penalty


energy_loss, energy_loss_for_compile = toy_step.energy_losses(with_penalty)


class Ddaebm:
    """The step of toy_step.py with other networks, latent size and weights."""

    def __init__(self, half, compiled):
        self.half = half
        self.energy, self.generator, self.encoder = TimeNice(), Generator(), Encoder()
        self.schedule, self.pixels = Schedule(beta_min=0.1, beta_max=10.0), Pixels()
        kind = fastest_adam()
        self.energy_optimiser = adam(self.energy.parameters(), kind)
        both = [*self.generator.parameters(), *self.encoder.parameters()]
        self.generator_optimiser = adam(both, kind)
        cast = half.cast
        self.generate = cast(self.generator)
        self.energy_loss, self.generator_loss = cast(energy_loss), cast(toy_step.generator_loss)
        if compiled:
            self.energy_loss = torch.compile(cast(energy_loss_for_compile))
            self.generator_loss = torch.compile(self.generator_loss)
            self.generator.compile()

    def draw(self):
        noise = {name: torch.randn(BATCH, DIM) for name in ("x_t", "x_next", "posterior")}
        noise |= {name: torch.randn(BATCH, LATENT) for name in ("z", "eps_real")}
        return {"data": self.pixels.draw(), "t": torch.randint(toy_step.STEPS, (BATCH,)), **noise}

    def step(self, n):
        t, c = n["t"], self.schedule.at(n["t"])
        x = c["a_bar"] * n["data"] + c["s_bar"] * n["x_t"]
        x_next = c["a_next"] * x + c["s_next"] * n["x_next"]
        x_fake = c["c1"] * self.generate(x_next, n["z"], t) + c["c2"] * x_next
        x_fake = x_fake + c["std"] * n["posterior"]

        self.energy.requires_grad_(True)
        loss = self.energy_loss(self.energy, x, x_next, x_fake, t, c)
        self.half.descend(loss, self.energy_optimiser)

        self.energy.requires_grad_(False)
        g = self.generator_loss(
            self.energy,
            self.generator,
            self.encoder,
            x,
            x_next,
            x_fake,
            n["z"],
            n["eps_real"],
            t,
            c,
        )
        self.half.descend(g["errG"], self.generator_optimiser)
        self.half.update()


if __name__ == "__main__":
    torch.set_num_threads(args.threads)
    driver.use_device(args)
    torch.manual_seed(args.seed)
    half = driver.Half(args.device, args.precision)
    trainer = {"mle": Likelihood, "ddaebm": Ddaebm}[args.method](half, args.compile)
    driver.main(
        args,
        driver.title(args, f", NICE {args.method}"),
        {"torch": torch.__version__, "adam": fastest_adam()},
        trainer.draw,
        trainer.step,
    )

"""One iteration of DDAEBM on 25 Gaussians in plain PyTorch: the peer of the bench "toy-step".

The energy step (R1 penalty on the gradient of the unnormalised conditional log-density, hence a
second backward pass), then the generator/encoder step on the same tensors, each with Adam. Written
as one would write it in PyTorch, with nothing left slow on purpose; see README.md for the rules.
"""

import math

import driver

BATCH, LATENT, STEPS = 200, 2, 4
BETA_MIN, BETA_MAX = 0.01, 0.1
R1_GAMMA, LATENT_WEIGHT = 0.02, 0.1
LR, BETAS = 1e-4, (0.0, 0.9)

parser = driver.torch_parser(__doc__)
parser.add_argument(
    "--adam", choices=("fused", "foreach", "loop"), help="default: the fastest this version has"
)
if __name__ == "__main__":
    args = parser.parse_args()
    driver.limit_threads(args.threads)

import torch  # noqa: E402
from torch import nn  # noqa: E402


class MLP(nn.Module):
    """Affine, BatchNorm (optional), PReLU for every layer but the last, which is affine only."""

    def __init__(self, sizes, batch_norm=False):
        super().__init__()
        n = len(sizes) - 1
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
        # As in the published checkpoints, the last entry of either list exists and is never run.
        self.activation_fn = nn.ModuleList(nn.PReLU() for _ in range(n))
        self.layers_bn = nn.ModuleList(nn.BatchNorm1d(b) for b in sizes[1:]) if batch_norm else None

    def forward(self, x):
        for i, layer in enumerate(self.layers[:-1]):
            x = layer(x)
            if self.layers_bn is not None:
                x = self.layers_bn[i](x)
            x = self.activation_fn[i](x)
        return self.layers[-1](x)


class TimeConditioned(nn.Module):
    """[x_encoder(x), t_encoder(embedding(t))] -> net."""

    def __init__(self, inputs, outputs, batch_norm, hidden=(300, 300), time_dim=16):
        super().__init__()
        self.x_encoder = MLP([inputs, 16, 32], batch_norm)
        self.t_encoder = MLP([time_dim, 16, 32])
        self.net = MLP([64, *hidden, outputs], batch_norm)
        half = time_dim // 2
        frequencies = torch.exp(torch.arange(half) * (-math.log(10000.0) / (half - 1)))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def features(self, x, t):
        angle = t[:, None] * self.frequencies
        embedding = torch.cat([angle.sin(), angle.cos()], dim=1)
        return self.net(torch.cat([self.x_encoder(x), self.t_encoder(embedding)], dim=1))


class Energy(TimeConditioned):
    def __init__(self, **sizes):
        super().__init__(2, 1, batch_norm=False, **sizes)

    def forward(self, x, t):
        return self.features(x, t).squeeze(1)


class Generator(TimeConditioned):
    def __init__(self, **sizes):
        super().__init__(2 + LATENT, 2, batch_norm=True, **sizes)

    def forward(self, x_next, z, t):
        return self.features(torch.cat([x_next, z], dim=1), t)


class Encoder(TimeConditioned):
    def __init__(self, **sizes):
        super().__init__(4, 16, batch_norm=True, **sizes)
        self.fc_mu = nn.Linear(16, LATENT)
        self.fc_var = nn.Linear(16, LATENT)

    def forward(self, x, x_next, t):
        h = self.features(torch.cat([x, x_next], dim=1), t)
        return self.fc_mu(h), self.fc_var(h)


class Schedule:
    """The variance-preserving schedule, per level k = 0..T, and its posterior, per step t < T."""

    def __init__(self, beta_min=BETA_MIN, beta_max=BETA_MAX):
        k = torch.arange(STEPS + 1, dtype=torch.float64) / STEPS
        tau = 1e-3 + (1 - 1e-3) * k
        alpha_bar = torch.exp(-0.5 * tau**2 * (beta_max - beta_min) - tau * beta_min)
        previous = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
        beta = 1 - alpha_bar / previous
        self.a, self.s = torch.sqrt(1 - beta).float(), torch.sqrt(beta).float()
        self.a_bar, self.s_bar = torch.sqrt(alpha_bar).float(), torch.sqrt(1 - alpha_bar).float()
        keep, next_ = 1 - alpha_bar[:-1], 1 - alpha_bar[1:]
        self.c1 = (beta[1:] * torch.sqrt(alpha_bar[:-1]) / next_).float()
        self.c2 = (keep * torch.sqrt(1 - beta[1:]) / next_).float()
        self.variance = (beta[1:] * keep / next_).float()

    def at(self, t):
        """Column vectors of every coefficient, for a batch of t."""
        col = lambda table, i: table[i].unsqueeze(1)  # noqa: E731
        variance = col(self.variance, t)
        return {
            "a_next": col(self.a, t + 1),
            "s_next": col(self.s, t + 1),
            "a_bar": col(self.a_bar, t),
            "s_bar": col(self.s_bar, t),
            "c1": col(self.c1, t),
            "c2": col(self.c2, t),
            "std": variance.sqrt() * (t > 0).unsqueeze(1),
            "recon_variance": variance.clamp(min=1e-2),
        }


def log_normal(x, mean, variance):
    """log N(x; mean, variance I), summed over all axes but that of the batch."""
    terms = (x - mean).square() / variance + torch.log(2 * math.pi * variance)
    return -0.5 * terms.sum(tuple(range(1, x.dim())))


def sample_25gaussians(n):
    """n points, equally many of each of the 25 modes on a grid (remainder to the first modes)."""
    ticks = 2.0 * torch.arange(-2, 3)
    centres = torch.cartesian_prod(ticks, ticks)[torch.arange(n) % 25]
    points = (centres + 0.1 * torch.randn(n, 2)) / 2.828
    return points[torch.randperm(n)]


def draw():
    """Everything random of one iteration."""
    return {
        "data": sample_25gaussians(BATCH),
        "t": torch.randint(STEPS, (BATCH,)),
        **{name: torch.randn(BATCH, 2) for name in ("x_t", "x_next", "z", "posterior", "eps_real")},
    }


def encode(encoder, x, x_next, t, eps):
    mean, log_var = encoder(x, x_next, t)
    return mean + torch.exp(0.5 * log_var) * eps, mean, log_var


def energy_and_slope(energy, x, x_next, t, c):
    """The energy of x and the gradient of log p(x_t | x_{t+1}) in it, to be differentiated again."""
    x = x.detach().requires_grad_()
    real = energy(x, t)
    log_density = real + log_normal(x_next, c["a_next"] * x, c["s_next"].square())
    (slope,) = torch.autograd.grad(log_density.sum(), x, create_graph=True)
    return real, slope


def energy_and_slope_for_compile(energy, x, x_next, t, c):
    """The same. torch.compile refuses to differentiate twice, but traces through func.grad."""

    def log_density(x):
        real = energy(x, t)
        density = real + log_normal(x_next, c["a_next"] * x, c["s_next"].square())
        return density.sum(), real

    slope, real = torch.func.grad(log_density, has_aux=True)(x.detach())
    return real, slope


def energy_losses(with_penalty):
    """Losses of an energy, to be run eagerly and to be compiled, as `with_penalty` puts them together."""

    def energy_loss(energy, x, x_next, x_fake, t, c):
        real, slope = energy_and_slope(energy, x, x_next, t, c)
        return with_penalty(real, energy(x_fake.detach(), t), slope)

    def energy_loss_for_compile(energy, x, x_next, x_fake, t, c):
        real, slope = energy_and_slope_for_compile(energy, x, x_next, t, c)
        return with_penalty(real, energy(x_fake.detach(), t), slope)

    return energy_loss, energy_loss_for_compile


def with_penalty(real, fake, slope):
    """Minus the contrast of energies plus the R1 penalty on log p(x_t | x_{t+1}) (Eq. 23)."""
    penalty = 0.5 * R1_GAMMA * slope.square().sum(1).mean()
    return {"errD": (fake - real).mean() + penalty, "grad_penalty": penalty}


energy_loss, energy_loss_for_compile = energy_losses(with_penalty)


def generator_loss(energy, generator, encoder, x, x_next, x_fake, z, eps, t, c):
    """Both bounds of the Jeffreys divergence (Eqs. 17 and 19), term by term."""
    energy_term = (
        energy(x_fake, t) + log_normal(x_next, c["a_next"] * x_fake, c["s_next"] ** 2)
    ).mean()

    z_real, mean, log_var = encode(encoder, x, x_next, t, eps)
    kld = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(1).mean()
    x_recon = c["c1"] * generator(x_next, z_real, t) + c["c2"] * x_next
    recon = -log_normal(x, x_recon, c["recon_variance"]).mean()

    mean, log_var = encoder(x_fake, x_next, t)
    nll = 0.5 * (log_var + (z - mean).square() / (1e-6 + log_var.exp())).sum(1).mean()
    latent = LATENT_WEIGHT * nll
    return {
        "errG": -energy_term + latent + recon + kld,
        "E_F": energy_term,
        "errLatent": latent,
        "err_Recon": recon,
        "errKld": kld,
    }


def adam(parameters, kind, lr=LR):
    options = {"loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
    return torch.optim.Adam(parameters, lr=lr, betas=BETAS, **options[kind])


def fastest_adam():
    version = tuple(int(v) for v in torch.__version__.split("+")[0].split(".")[:2])
    return "fused" if version >= (2, 4) else "foreach"


class Trainer:
    def __init__(self, lr=LR, adam_kind=None, compiled=False, half=None, **sizes):
        self.energy, self.generator, self.encoder = (
            Energy(**sizes),
            Generator(**sizes),
            Encoder(**sizes),
        )
        self.schedule = Schedule()
        kind = adam_kind or fastest_adam()
        self.energy_optimiser = adam(self.energy.parameters(), kind, lr)
        both = [*self.generator.parameters(), *self.encoder.parameters()]
        self.generator_optimiser = adam(both, kind, lr)
        self.half = half or driver.Half()
        cast = self.half.cast
        self.generate = cast(self.generator)
        self.energy_loss, self.generator_loss = cast(energy_loss), cast(generator_loss)
        if compiled:
            self.energy_loss = torch.compile(cast(energy_loss_for_compile))
            self.generator_loss = torch.compile(self.generator_loss)
            # Also the forward pass shared by both losses: an eager BatchNorm would keep running
            # statistics for its backward pass that the compiled one then overwrites.
            self.generator.compile()

    def step(self, n):
        t, c = n["t"], self.schedule.at(n["t"])
        x = c["a_bar"] * n["data"] + c["s_bar"] * n["x_t"]
        x_next = c["a_next"] * x + c["s_next"] * n["x_next"]
        x_0 = self.generate(x_next, n["z"], t)
        x_fake = c["c1"] * x_0 + c["c2"] * x_next + c["std"] * n["posterior"]

        self.energy.requires_grad_(True)
        d = self.energy_loss(self.energy, x, x_next, x_fake, t, c)
        self.half.descend(d["errD"], self.energy_optimiser)

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
        return {**d, **g}


if __name__ == "__main__":
    torch.set_num_threads(args.threads)
    driver.use_device(args)
    torch.manual_seed(args.seed)
    half = driver.Half(args.device, args.precision)
    trainer = Trainer(adam_kind=args.adam, compiled=args.compile, half=half)
    driver.main(
        args,
        driver.title(args, ""),
        {"torch": torch.__version__, "adam": args.adam or fastest_adam()},
        draw,
        trainer.step,
    )

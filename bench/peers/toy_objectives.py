"""One iteration of other two-dimensional methods in plain PyTorch.

    --method meg   maximum entropy generators: 5 energy steps, 1 generator and statistics step
    --method vera  amortised sampler: energy, generator and posterior width step
    --method ed    energy discrepancy
    --method sm    score matching with the exact trace of the Hessian
    --method cd    contrastive divergence, 10 Langevin steps from the data

The first two at the settings of the DDAEBM comparison (three linear layers of width 300, batch
200), the others at those of the energy discrepancy paper (width 128, batch 128, EMA 0.999).
"""

import math

import driver

parser = driver.parser(__doc__)
parser.add_argument("--method", choices=("meg", "vera", "ed", "sm", "cd"), default="meg")
if __name__ == "__main__":
    args = parser.parse_args()
    driver.limit_threads(args.threads)

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from toy_step import MLP, adam, fastest_adam, sample_25gaussians  # noqa: E402


def squared_slope(f, x):
    """|grad f(x)|^2 per sample, differentiable, and f(x)."""
    x = x.detach().requires_grad_()
    value = f(x)
    (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    return slope.square().sum(1), value


class Meg:
    """E is an energy: low on data."""

    BATCH, ENERGY_STEPS, PENALTY = 200, 5, 0.1

    def __init__(self):
        self.energy = MLP([2, 300, 300, 1])
        self.generator = MLP([2, 300, 300, 2], batch_norm=True)
        self.statistics = MLP([4, 300, 300, 1])
        kind = fastest_adam()
        self.energy_optimiser = adam(self.energy.parameters(), kind)
        both = [*self.generator.parameters(), *self.statistics.parameters()]
        self.generator_optimiser = adam(both, kind)

    def draw(self):
        n, steps = self.BATCH, self.ENERGY_STEPS
        return {
            "data": [sample_25gaussians(n) for _ in range(steps)],
            "z": torch.randn(steps + 1, n, 2),
            "shuffle": torch.randperm(n),
        }

    def energy_loss(self, data, fake):
        squared, real = squared_slope(self.energy, data)
        return (real - self.energy(fake)).mean() + self.PENALTY * squared.mean()

    def generator_loss(self, z, shuffle):
        fake = self.generator(z)
        n = len(z)
        pairs = torch.cat([torch.cat([fake, z], 1), torch.cat([fake, z[shuffle]], 1)])
        target = torch.cat([torch.ones(n, 1), torch.zeros(n, 1)])
        information = F.binary_cross_entropy_with_logits(self.statistics(pairs), target)
        return self.energy(fake).mean() + information

    def step(self, n):
        self.energy.requires_grad_(True)
        for data, z in zip(n["data"], n["z"]):
            with torch.no_grad():
                fake = self.generator(z)
            self.energy_optimiser.zero_grad(set_to_none=True)
            self.energy_loss(data, fake).backward()
            self.energy_optimiser.step()
        self.energy.requires_grad_(False)
        self.generator_optimiser.zero_grad(set_to_none=True)
        self.generator_loss(n["z"][-1], n["shuffle"]).backward()
        self.generator_optimiser.step()


class Vera:
    """f is a log-density: high on data."""

    BATCH, PENALTY, ENTROPY, PROPOSALS = 200, 0.1, 1.0, 20
    RATE, POSTERIOR_RATE = 1e-3, 0.02

    def __init__(self):
        self.energy = MLP([2, 300, 300, 1])
        self.generator = MLP([2, 300, 300, 2], batch_norm=True)
        self.log_sigma = nn.Parameter(torch.full((1,), math.log(0.01)))
        self.log_eta = nn.Parameter(torch.full((2,), math.log(0.1)))
        kind = fastest_adam()
        self.energy_optimiser = adam(self.energy.parameters(), kind, self.RATE)
        both = [*self.generator.parameters(), self.log_sigma]
        self.generator_optimiser = adam(both, kind, self.RATE)
        self.posterior_optimiser = adam([self.log_eta], kind, self.POSTERIOR_RATE)

    def draw(self):
        n = self.BATCH
        return {
            "data": sample_25gaussians(n),
            "h": torch.randn(n, 2),
            "eps": torch.randn(n, 2),
            "proposals": torch.randn(self.PROPOSALS, n, 2),
            "posterior": torch.randn(n, 2),
        }

    def log_joint(self, x, h, mean, log_sigma):
        """log q(x, h) up to a constant."""
        fit = (x - mean).square().sum(-1) * torch.exp(-2 * log_sigma)
        return -0.5 * (h.square().sum(-1) + fit) - x.shape[-1] * log_sigma

    @torch.no_grad()
    def minus_score(self, x, h, proposals):
        """-grad log q(x) by importance sampling of the latent around the one that made x."""
        around = h + torch.exp(self.log_eta) * proposals
        mean = self.generator(around.flatten(0, 1)).view_as(around)
        log_r = -0.5 * proposals.square().sum(-1) - self.log_eta.sum()
        weight = torch.softmax(self.log_joint(x, around, mean, self.log_sigma) - log_r, dim=0)
        return (weight.unsqueeze(-1) * (x - mean)).sum(0) * torch.exp(-2 * self.log_sigma)

    def step(self, n):
        fake = self.generator(n["h"]) + torch.exp(self.log_sigma) * n["eps"]

        self.energy.requires_grad_(True)
        squared, real = squared_slope(self.energy, n["data"])
        contrast = (self.energy(fake.detach()) - real).mean()
        self.energy_optimiser.zero_grad(set_to_none=True)
        (contrast + 0.5 * self.PENALTY * squared.mean()).backward()
        self.energy_optimiser.step()

        self.energy.requires_grad_(False)
        push = self.minus_score(fake.detach(), n["h"], n["proposals"])
        entropy = (push * fake).sum(1).mean()
        self.generator_optimiser.zero_grad(set_to_none=True)
        (-self.energy(fake).mean() - self.ENTROPY * entropy).backward()
        self.generator_optimiser.step()
        with torch.no_grad():
            self.log_sigma.clamp_(math.log(0.01), math.log(0.3))

        x = fake.detach()
        near = n["h"] + torch.exp(self.log_eta) * n["posterior"]
        self.generator.requires_grad_(False)
        fit = self.log_joint(x, near, self.generator(near), self.log_sigma.detach()).mean()
        self.generator.requires_grad_(True)
        self.posterior_optimiser.zero_grad(set_to_none=True)
        (-fit - self.log_eta.sum()).backward()
        self.posterior_optimiser.step()


class DensityModel(nn.Module):
    """The energy network of the energy discrepancy paper: low on data."""

    def __init__(self, width=128):
        super().__init__()
        sizes = [2, width, width, width, width, 1]
        for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
            setattr(self, f"lin{i + 1}", nn.Linear(a, b))

    def forward(self, x):
        for layer in (self.lin1, self.lin2, self.lin3, self.lin4):
            x = F.softplus(layer(x))
        return self.lin5(x).squeeze(-1)


def energy_discrepancy(energy, x, shared, particles, std, stabiliser):
    """mean_i log(w + sum_j exp(E(x_i) - E(x_i + s n_i + s n_ij)))."""
    perturbed = x.unsqueeze(1) + std * (shared.unsqueeze(1) + particles)
    difference = energy(x).unsqueeze(1) - energy(perturbed.flatten(0, 1)).view(len(x), -1)
    if stabiliser > 0:
        difference = F.pad(difference, (0, 1), value=math.log(stabiliser))
    return torch.logsumexp(difference, dim=1).mean()


def score_matching(energy, x):
    """mean(|grad log p|^2 / 2 + trace of the Hessian of log p), log p = -E."""
    x = x.detach().requires_grad_()
    (score,) = torch.autograd.grad(-energy(x).sum(), x, create_graph=True)
    trace = sum(
        torch.autograd.grad(score[:, d].sum(), x, create_graph=True)[0][:, d]
        for d in range(x.shape[1])
    )
    return (0.5 * score.square().sum(1) + trace).mean()


def contrastive_divergence(energy, x, noise, step_size=0.01, regulariser=0.3):
    chain = x.detach()
    for eps in noise:
        chain.requires_grad_()
        (slope,) = torch.autograd.grad(energy(chain).sum(), chain)
        chain = (chain - 0.5 * step_size * slope + math.sqrt(step_size) * eps).detach()
    positive, negative = energy(x), energy(chain)
    penalty = (positive.square() + negative.square()).mean()
    return (positive - negative).mean() + regulariser * penalty


def sample_wide_25gaussians(n):
    """The energy discrepancy paper's: modes drawn at random, noise 0.2, divided by 1.414."""
    centres = 2.0 * (torch.randint(5, (n, 2)) - 2)
    return (centres + 0.2 * torch.randn(n, 2)) / 1.414


class Density:
    BATCH, PARTICLES, STD, STABILISER, DECAY = 128, 4, 1.0, 1.0, 0.999

    def __init__(self, method):
        self.method = method
        self.energy, self.average = DensityModel(), DensityModel().requires_grad_(False)
        self.average.load_state_dict(self.energy.state_dict())
        kind = {"fused": {"fused": True}, "foreach": {"foreach": True}}[fastest_adam()]
        self.optimiser = torch.optim.Adam(self.energy.parameters(), lr=1e-3, **kind)

    def draw(self):
        n = self.BATCH
        data = sample_wide_25gaussians(n)
        if self.method == "ed":
            return [data, torch.randn(n, 2), torch.randn(n, self.PARTICLES, 2)]
        return [data] if self.method == "sm" else [data, torch.randn(10, n, 2)]

    def loss(self, data, *noise):
        if self.method == "ed":
            return energy_discrepancy(self.energy, data, *noise, self.STD, self.STABILISER)
        loss = {"sm": score_matching, "cd": contrastive_divergence}[self.method]
        return loss(self.energy, data, *noise)

    def step(self, n):
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(*n).backward()
        self.optimiser.step()
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.energy.parameters()):
                mean.lerp_(value, 1 - self.DECAY)


if __name__ == "__main__":
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    trainer = {"meg": Meg, "vera": Vera}.get(args.method, lambda: Density(args.method))()
    driver.main(
        args,
        f"PyTorch {torch.__version__}, {args.method}",
        {"torch": torch.__version__, "adam": fastest_adam()},
        trainer.draw,
        trainer.step,
    )

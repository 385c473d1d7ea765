"""Wide-ResNet 28 with time embedding as the energy of recovery likelihood, in plain PyTorch: the
peer of the bench "wrn".

    --task forward    f(x, t)
    --task gradient   f and its gradient in x, one step of a Langevin chain
    --task step       one iteration: a chain of --chain steps, then the energy's gradient and Adam

No normalisation, as in the PyTorch version of diffusion recovery likelihood.
"""

import driver

parser = driver.parser(__doc__)
parser.set_defaults(iters=5, warmup=2)
parser.add_argument("--task", choices=("forward", "gradient", "step"), default="step")
parser.add_argument("--width", type=int, default=32, help="channels of the first stage")
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--chain", type=int, default=2)
if __name__ == "__main__":
    args = parser.parse_args()
    driver.limit_threads(args.threads)

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from ncsnpp import embedding  # noqa: E402
from toy_step import fastest_adam  # noqa: E402

SIZE, DEPTH, TIME, HIDDEN, LEVELS = 32, 28, 128, 512, 6
STEP, PULL = 1e-2, 1e-3


def leaky(x):
    return F.leaky_relu(x, 0.2)


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, stride=stride)
        self.time = nn.Linear(HIDDEN, outputs)
        skips = stride != 1 or inputs != outputs
        self.skip = nn.Conv2d(inputs, outputs, 1, stride=stride) if skips else None

    def forward(self, x, temb):
        h = self.first(leaky(x)) + leaky(self.time(temb))[:, :, None, None]
        return self.second(leaky(h)) + (x if self.skip is None else self.skip(x))


class WideResNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        widths = [16, width, 2 * width, 4 * width]
        self.entry = nn.Conv2d(3, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList(
            Block(widths[s] if i == 0 else widths[s + 1], widths[s + 1], 2 if i == 0 and s else 1)
            for s in range(3)
            for i in range((DEPTH - 4) // 6)
        )
        self.times = nn.ModuleList(
            [nn.Linear(TIME, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, widths[3])]
        )

    def forward(self, x, t):
        temb = self.times[1](leaky(self.times[0](embedding(t, TIME))))
        h = self.entry(x)
        for block in self.blocks:
            h = block(h, temb)
        return (leaky(h).mean((2, 3)) * self.times[2](leaky(temb))).sum(1)


class Trainer:
    def __init__(self, width, batch, chain, task):
        self.batch, self.chain, self.task = batch, chain, task
        self.energy = WideResNet(width).requires_grad_(task == "step")
        fused = {"fused": True} if fastest_adam() == "fused" else {"foreach": True}
        self.optimiser = torch.optim.Adam(self.energy.parameters(), lr=1e-4, **fused)

    def draw(self):
        image = (self.batch, 3, SIZE, SIZE)
        t = torch.randint(LEVELS, (self.batch,))
        noise = torch.randn(self.chain, *image) if self.task == "step" else None
        return {"x": torch.randn(image), "next": torch.randn(image), "t": t, "noise": noise}

    def slope(self, x, t):
        x = x.detach().requires_grad_()
        return torch.autograd.grad(self.energy(x, t).sum(), x)[0]

    def step(self, n):
        x, t = n["x"], n["t"]
        if self.task == "forward":
            return self.energy(x, t)
        if self.task == "gradient":
            return self.slope(x, t)
        y = n["next"]
        self.energy.requires_grad_(False)
        for noise in n["noise"]:
            y = y + 0.5 * self.slope(y, t) - PULL * (y - n["next"]) + STEP * noise
        self.energy.requires_grad_(True)
        self.optimiser.zero_grad(set_to_none=True)
        (self.energy(y, t) - self.energy(x, t)).mean().backward()
        self.optimiser.step()


if __name__ == "__main__":
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    trainer = Trainer(args.width, args.batch, args.chain, args.task)
    driver.main(
        args,
        f"PyTorch {torch.__version__}, WRN {args.task}",
        {"torch": torch.__version__, "adam": fastest_adam()},
        trainer.draw,
        trainer.step,
    )

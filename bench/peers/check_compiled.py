"""Checks that the compiled NICE and NCSN++ steps compute what the eager ones do.

    python check_compiled.py nice
    python check_compiled.py ncsnpp --backend aot_eager

One iteration of both from the same parameters with the same draws: the gradients of the energy step
(with its second derivatives) and of the generator and encoder, each relative to the largest of its
network. Sizes are small; `aot_eager` traces as `inductor` does but generates no code, which is faster.
Exit code 1 if an error is above 1e-4 (5e-2 with --precision float16 or bfloat16).
"""

import argparse
import functools
import sys

import driver

arguments = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
arguments.add_argument("network", choices=("nice", "ncsnpp"))
arguments.add_argument("--backend", default="inductor")
arguments.add_argument("--precision", default="float32")
arguments.add_argument("--device", default="cpu")
args = arguments.parse_args()

import torch  # noqa: E402


def trainer(compiled):
    torch.manual_seed(1)
    half = driver.Half(args.device, args.precision)
    if args.network == "nice":
        import nice

        return nice.Ddaebm(half, compiled)
    import ncsnpp

    step = ncsnpp.Step(2, 16, [1, 2], 1, half, compiled)
    # The last layer begins near zero, where gradients say little.
    for network in (step.energy, step.generator):
        torch.nn.init.normal_(network.net.exit.weight, std=0.05)
    return step


def gradients(compiled):
    """Of one iteration, by network; those of the energy at its own step."""
    step = trainer(compiled)
    found = {}
    descend = step.half.descend

    def keep(loss, optimiser):
        descend(loss, optimiser)
        names = ["energy"] if "energy" not in found else ["generator", "encoder"]
        scale = 1.0 if step.half.scaler is None else step.half.scaler.get_scale()
        for name in names:
            parts = [p.grad.flatten() for p in getattr(step, name).parameters() if p.grad is not None]
            found[name] = torch.cat(parts).detach().clone() / scale

    step.half.descend = keep
    torch.manual_seed(2)
    step.step(step.draw())
    return found


driver.use_device(args)
torch.compile = functools.partial(torch.compile, backend=args.backend)
compile_module = torch.nn.Module.compile
torch.nn.Module.compile = lambda self: compile_module(self, backend=args.backend)
wanted, got = gradients(False), gradients(True)
bound = 1e-4 if args.precision == "float32" else 5e-2
failed = False
for name, reference in wanted.items():
    error = ((got[name] - reference).abs().max() / reference.abs().max()).item()
    failed |= not error < bound
    print(f"{args.network}, {name}: {len(reference)} gradients, error {error:.1e} (at most {bound})")
sys.exit(1 if failed else 0)

"""What the peers have in common: the command line, the clocks, and the round protocol.

A peer is driven in one of two ways.

* By hand: ``python toy_step.py --iters 200`` warms up, times, prints one line.
* By the bench: ``python toy_step.py --serve`` warms up, prints one JSON line that says what it is,
  then answers every line ``run N`` on standard input with one JSON line of timings, until ``quit``.

This module imports nothing heavy and must be imported, and `limit_threads` called, before the
library under test: the number of threads is settled when that library is loaded.
"""

import argparse
import json
import os
import resource
import sys
import time


def parser(description):
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--iters", type=int, default=200, help="iterations to time")
    p.add_argument("--warmup", type=int, default=20, help="iterations before the clock starts")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--json", action="store_true")
    p.add_argument("--serve", action="store_true", help="answer 'run N' lines on standard input")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--device", default="cpu", help="cpu or cuda; PyTorch only")
    return p


def torch_parser(description):
    """With what only PyTorch peers take."""
    p = parser(description)
    p.add_argument("--compile", action="store_true", help="torch.compile the losses")
    p.add_argument(
        "--precision",
        choices=("float32", "float16", "bfloat16"),
        default="float32",
        help="of products: the losses under torch.autocast, float16 with scaled losses",
    )
    return p


class Half:
    """Losses in lower precision: under autocast, in float16 multiplied by the scale of a GradScaler.

    The inner gradient of a penalty is that of a sum over the batch, which float16 holds unscaled. In
    float32 everything is as without this class, and as old versions of PyTorch have it.
    """

    def __init__(self, device="cpu", precision="float32"):
        import torch

        self.device, self.lower = device, precision != "float32"
        self.dtype, self.scaler = getattr(torch, precision), None
        if precision == "float16":
            # From the default of 2**16 the first iterations overflow; a step left out is cheap.
            self.scaler = torch.amp.GradScaler(device, init_scale=2.0**6)

    def cast(self, function):
        """The function under autocast. To be compiled afterwards, not before."""
        if not self.lower:
            return function
        import torch

        def inside(*arguments):
            with torch.autocast(self.device, dtype=self.dtype):
                return function(*arguments)

        return inside

    def descend(self, loss, optimiser):
        """One step of an optimiser down a loss, unless its gradients overflow."""
        optimiser.zero_grad(set_to_none=True)
        if self.scaler is None:
            loss.backward()
            optimiser.step()
        else:
            self.scaler.scale(loss).backward()
            self.scaler.step(optimiser)

    def update(self):
        """Once per iteration, after the last optimiser."""
        if self.scaler is not None:
            self.scaler.update()


def title(args, name):
    """How a PyTorch peer introduces itself."""
    import torch

    words = [f"PyTorch {torch.__version__}{name}"]
    if args.precision != "float32":
        words.append(f"autocast {args.precision}")
    if args.compile:
        words.append("torch.compile")
    return " ".join(words)


def use_device(args):
    """Lets PyTorch make every tensor and network on the device. To be called before the first."""
    if args.device == "cpu":
        return
    import torch

    if not hasattr(torch, "set_default_device"):
        sys.exit(f"error: --device needs PyTorch 2.0 or newer, this is {torch.__version__}")
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("error: this PyTorch finds no CUDA card")
    torch.set_default_device(args.device)
    # Products in full float32, as ours.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def waiting_for(args, finish):
    """`finish`, and on a card the wait until it has done what was queued."""
    if getattr(args, "device", "cpu") == "cpu":
        return finish
    import torch

    def both():
        finish()
        torch.cuda.synchronize()

    return both


def limit_threads(n):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(n)


class Stopwatch:
    """CPU time of the whole process (all threads) and wall time, in milliseconds."""

    def __init__(self):
        self.cpu = -time.process_time()
        self.wall = -time.perf_counter()

    def stop(self):
        self.cpu = 1e3 * (self.cpu + time.process_time())
        self.wall = 1e3 * (self.wall + time.perf_counter())
        return self


def timed(draw, step, finish, iters):
    """Runs `iters` iterations of ``step(draw())``; per-iteration CPU and wall milliseconds.

    `draw` makes the data and the noise of one iteration and belongs to it; its share is reported
    as well, since two libraries may differ more in their random numbers than in their networks.
    """
    drawn = 0.0
    total = Stopwatch()
    for _ in range(iters):
        start = time.process_time()
        noise = draw()
        drawn += time.process_time() - start
        step(noise)
    finish()
    total.stop()
    return {
        "iters": iters,
        "cpuMs": total.cpu / iters,
        "wallMs": total.wall / iters,
        "drawCpuMs": 1e3 * drawn / iters,
        "peakMb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main(args, name, versions, draw, step, finish=lambda: None):
    finish = waiting_for(args, finish)
    start = Stopwatch()
    for _ in range(max(1, args.warmup)):
        step(draw())
    finish()
    start.stop()
    me = {"name": name, "versions": versions, "threads": args.threads, "warmupWallMs": start.wall}
    if args.serve:
        reply(me)
        for line in sys.stdin:
            words = line.split()
            if words == ["quit"]:
                return
            if len(words) != 2 or words[0] != "run":
                sys.exit(f"expected 'run N' or 'quit', got {line!r}")
            reply(timed(draw, step, finish, int(words[1])))
        return
    result = timed(draw, step, finish, args.iters)
    if args.json:
        reply({**me, **result})
    else:
        print(
            f"{name}, {args.threads} thread(s): {result['cpuMs']:.2f} CPU-ms and "
            f"{result['wallMs']:.2f} wall-ms per iteration over {args.iters}, of which data and "
            f"noise {result['drawCpuMs']:.2f} CPU-ms; warm-up {start.wall / 1e3:.1f} s"
        )


def reply(value):
    print(json.dumps(value), flush=True)

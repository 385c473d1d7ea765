"""Checks that the toy peers compute what the reference computes.

    python check.py torch path/to/03_toy_losses.safetensors
    python check.py jax path/to/03_toy_train10.safetensors

The file holds initial parameters, data and noise of some iterations, the losses of each, the
gradients of the first and the parameters after the last. Prints the worst error of each kind
relative to the largest reference value; exit code 1 if any is above its tolerance. Parameters are
compared by their 99 % quantile: Adam with beta1 = 0 turns a gradient at rounding level into +-lr.
"""

import argparse

from golden import Comparison, Golden

METRICS = ("errD", "grad_penalty", "errG", "E_F", "errLatent", "err_Recon", "errKld")
NOISE = {
    "x_t": "noise:x_t",
    "x_next": "noise:x_tp1",
    "z": "noise:latent_z",
    "posterior": "noise:posterior",
    "eps_real": "noise:eps_E_real",
}
COEFFICIENTS = {
    "a": "in:coef.a_s",
    "s": "in:coef.sigmas",
    "a_bar": "in:coef.a_s_cum",
    "s_bar": "in:coef.sigmas_cum",
    "c1": "in:coef.posterior_mean_coef1",
    "c2": "in:coef.posterior_mean_coef2",
}
TOLERANCES = {
    "loss": 2e-4,
    "gradient": 5e-4,
    "statistic": 2e-4,
    "parameter": 1e-6,
    "schedule": 3e-6,
}


def run_torch(golden, lr, hidden, compiled):
    import toy_step

    trainer = toy_step.Trainer(lr=lr, hidden=hidden, compiled=compiled)
    nets = {"netD": trainer.energy, "netG": trainer.generator, "netE": trainer.encoder}
    for prefix, net in nets.items():
        net.load_state_dict({k: golden.torch(f"param:{prefix}.{k}") for k in net.state_dict()})
    schedule = trainer.schedule
    computed = {k: getattr(schedule, k).tolist() for k in COEFFICIENTS}
    for field, name in COEFFICIENTS.items():
        setattr(schedule, field, golden.torch(name))
    schedule.variance = golden.torch("in:coef.posterior_log_variance_clipped").exp()
    draws = {"data": golden.torch("in:data"), "t": golden.torch("in:t")}
    draws |= {k: golden.torch(name) for k, name in NOISE.items()}

    metrics, gradients = [], {}
    for i in range(len(draws["t"])):
        step = trainer.step({k: v[i] for k, v in draws.items()})
        metrics.append({k: v.item() for k, v in step.items()})
        if i == 0:
            for prefix, net in nets.items():
                for k, p in net.named_parameters():
                    if p.grad is not None:
                        gradients[f"{prefix}.{k}"] = p.grad.flatten().tolist()
    after = {
        f"{prefix}.{k}": v.flatten().tolist()
        for prefix, net in nets.items()
        for k, v in net.state_dict().items()
    }
    return metrics, gradients, after, computed


def run_jax(golden, lr, hidden, _compiled):
    import jax
    import numpy as np
    from jax import numpy as jnp

    import toy_step_jax

    def load(prefix, p):
        return {k: jnp.asarray(golden.numpy(f"param:{prefix}.{k}")) for k in p}

    def flat(tree):
        return {
            f"{prefix}.{k}": v.ravel().tolist() for prefix, p in tree.items() for k, v in p.items()
        }

    state = toy_step_jax.init(jax.random.key(0), hidden)
    both, statistics = state["both"], state["statistics"]
    state["energy"] = load("netD", state["energy"])
    state["both"] = {
        "generator": load("netG", both["generator"]),
        "encoder": load("netE", both["encoder"]),
    }
    state["statistics"] = {
        "generator": load("netG", statistics["generator"]),
        "encoder": load("netE", statistics["encoder"]),
    }
    computed = {k: toy_step_jax.schedule()[k].tolist() for k in COEFFICIENTS}
    tables = {k: golden.numpy(name) for k, name in COEFFICIENTS.items()}
    tables["variance"] = np.exp(golden.numpy("in:coef.posterior_log_variance_clipped"))
    draws = {"data": golden.numpy("in:data"), "t": golden.numpy("in:t").astype(np.int32)}
    draws |= {k: golden.numpy(name) for k, name in NOISE.items()}

    step = jax.jit(lambda s, n: toy_step_jax.step(s, n, tables, lr=lr))
    metrics, gradients = [], {}
    for i in range(len(draws["t"])):
        state, m, g = step(state, {k: jnp.asarray(v[i]) for k, v in draws.items()})
        metrics.append({k: float(v) for k, v in m.items()})
        if i == 0:
            gradients = flat(g)
    both, statistics = state["both"], state["statistics"]
    after = flat({"netD": state["energy"], "netG": both["generator"], "netE": both["encoder"]})
    after |= flat({"netG": statistics["generator"], "netE": statistics["encoder"]})
    return metrics, gradients, after, computed


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("library", choices=("torch", "jax"))
    parser.add_argument("golden")
    parser.add_argument("--compile", action="store_true", help="torch: check the compiled losses")
    args = parser.parse_args()
    golden = Golden(args.golden)
    config = golden.config
    if config["lr_d"] != config["lr_g"]:
        raise SystemExit(f"{args.golden}: the peers have one learning rate for both optimisers")
    run = {"torch": run_torch, "jax": run_jax}[args.library]
    metrics, gradients, after, computed = run(
        golden, config["lr_d"], config["W"]["decoder_layers"], args.compile
    )

    comparison = Comparison(args.library, TOLERANCES)
    for name in METRICS:
        comparison.add("loss", name, [m[name] for m in metrics], golden.reference("out", name))
    comparison.gradients(golden, "iter1.", gradients)
    moved = []
    for name, value in after.items():
        # The last BatchNorm of each MLP exists but never runs; a bias before a BatchNorm is noise.
        idle = "net.layers_bn.2" in name or "x_encoder.layers_bn.1" in name
        # With Adam that noise moves the bias by +-lr, and the running mean follows it.
        adrift = "running_mean" in name and config["lr_d"] > 0
        if idle or adrift or "num_batches" in name or golden.ignores(name):
            continue
        want = f"after{len(metrics)}.{name}"
        if "running" in name:
            comparison.add("statistic", name, value, golden.reference("out", want))
        elif config["lr_d"] > 0:
            moved += [abs(g - w) for g, w in zip(value, golden.reference("out", want))]
    if moved:
        comparison.set("parameter", "99 % of all", sorted(moved)[int(0.99 * len(moved))])
    for field, name in COEFFICIENTS.items():
        # Level 0 of four tables is cancellation in the float32 reference; ours are from float64.
        skip = 1 if field in ("s", "s_bar", "c1", "c2") else 0
        want = golden.reference("in", name.removeprefix("in:"))
        comparison.add("schedule", field, computed[field][skip:], want[skip:])
    comparison.finish()


if __name__ == "__main__":
    main()

"""Checks toy_objectives.py and nice.py against reference numbers.

    python check_baselines.py path/to/07_energy_discrepancy.safetensors ...

Takes 04_nice_* and 07_energy_discrepancy: losses or log-densities and gradients. There are no
reference numbers for MEG and VERA.
"""

import sys

from golden import Comparison, Golden

TOLERANCES = {"value": 2e-5, "gradient": 5e-4}


def gradients_of(module):
    found = {
        k: p.grad.flatten().tolist() for k, p in module.named_parameters() if p.grad is not None
    }
    module.zero_grad(set_to_none=True)
    return found


def check_density(golden, comparison):
    from toy_objectives import (
        DensityModel,
        contrastive_divergence,
        energy_discrepancy,
        score_matching,
    )

    energy = DensityModel()
    energy.load_state_dict({k: golden.torch(f"param:{k}") for k in energy.state_dict()})
    x = golden.torch("in:samples")
    comparison.add("value", "energy", energy(x).tolist(), golden.reference("out", "energy"))

    def check(name, loss):
        comparison.add("value", name, [loss.item()], golden.reference("out", f"{name}.loss"))
        loss.backward()
        comparison.gradients(golden, f"{name}.", gradients_of(energy))

    for c in golden.config["configs"]:
        shared = golden.torch(f"noise:{c['name']}.shared")
        particles = golden.torch(f"noise:{c['name']}.particles")
        std, stabiliser = c["t_noise"], c["w_stable"]
        loss = energy_discrepancy(energy, x, shared, particles, std, stabiliser)
        check(c["name"], loss)
    check("score_matching", score_matching(energy, x))
    noise = golden.torch("noise:cd")
    check("contrastive_divergence", contrastive_divergence(energy, x, noise))


def check_nice(golden, comparison):
    from nice import Nice, TimeNice, preprocess

    c = golden.config
    sizes = {"size": c["size"], "hidden": c["hidden_nodes"], "layers": c["num_layers"]}
    timed = "time_dim" in c
    nice = TimeNice(**sizes, time_dim=c["time_dim"], prelu=False) if timed else Nice(**sizes)
    nice.load_state_dict({k: golden.torch(f"param:{k}") for k in nice.state_dict()})
    if "in:pixels_uint8" in golden.tensors:
        x = preprocess(golden.torch("in:pixels_uint8").float(), golden.torch("noise:dequant_u"))
        want = golden.reference("out", "x_preprocessed")
        comparison.add("value", "x_preprocessed", x.flatten().tolist(), want)
    else:
        x = golden.torch("in:x")
    log_prob = nice(x, golden.torch("in:t")) if timed else nice(x)
    comparison.add("value", "log_prob", log_prob.tolist(), golden.reference("out", "log_prob"))
    x.requires_grad_()
    log_prob = nice(x, golden.torch("in:t")) if timed else nice(x)
    (golden.torch("in:cot_logp") * log_prob).sum().backward()
    found = gradients_of(nice) | {"in:x": x.grad.flatten().tolist()}
    comparison.gradients(golden, "", found)


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for path in sys.argv[1:]:
        golden = Golden(path)
        case = golden.meta["case"]
        comparison = Comparison(f"torch {case}", TOLERANCES)
        if case == "07_energy_discrepancy":
            check_density(golden, comparison)
        elif case.startswith("04_nice"):
            check_nice(golden, comparison)
        else:
            raise SystemExit(f"{path}: no check for {case}")
        comparison.finish()


if __name__ == "__main__":
    main()

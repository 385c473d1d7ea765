"""One iteration of DDAEBM on 25 Gaussians in JAX: the same step as toy_step.py, under one `jit`.

Parameters are flat dictionaries with PyTorch's state_dict keys and layouts, so that both peers can
be checked against the same reference numbers. Random numbers are drawn by jax.random inside a
`jit` of their own; parameters, moments and running statistics are donated to the step.
"""

import math
import os

import driver

BATCH, LATENT, STEPS = 200, 2, 4
BETA_MIN, BETA_MAX = 0.01, 0.1
R1_GAMMA, LATENT_WEIGHT = 0.02, 0.1
LR, BETA1, BETA2, EPS = 1e-4, 0.0, 0.9, 1e-8

parser = driver.parser(__doc__)
parser.add_argument("--rng", default="threefry2x32", help="jax.random implementation")
if __name__ == "__main__":
    args = parser.parse_args()
    driver.limit_threads(args.threads)
    if args.threads == 1:
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " " + flags
    os.environ["NPROC"] = str(args.threads)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # noqa: E402
import numpy as np  # noqa: E402
from jax import numpy as jnp  # noqa: E402


# Networks: init(key) -> parameters, statistics; apply(parameters, ...) -> output


def linear_init(key, inputs, outputs, name):
    bound = 1 / math.sqrt(inputs)
    w, b = jax.random.split(key)
    return {
        f"{name}.weight": jax.random.uniform(w, (outputs, inputs), minval=-bound, maxval=bound),
        f"{name}.bias": jax.random.uniform(b, (outputs,), minval=-bound, maxval=bound),
    }


def mlp_init(key, sizes, name, batch_norm):
    p, statistics = {}, {}
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        key, sub = jax.random.split(key)
        p |= linear_init(sub, a, b, f"{name}.layers.{i}")
        if i == len(sizes) - 2:
            break
        p[f"{name}.activation_fn.{i}.weight"] = jnp.full((1,), 0.25)
        if batch_norm:
            bn = f"{name}.layers_bn.{i}"
            p |= {f"{bn}.weight": jnp.ones(b), f"{bn}.bias": jnp.zeros(b)}
            statistics |= {f"{bn}.running_mean": jnp.zeros(b), f"{bn}.running_var": jnp.ones(b)}
    return p, statistics


def linear(p, name, x):
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def prelu(x, slope):
    return jnp.where(x > 0, x, slope * x)


def batch_norm(p, name, x, statistics):
    """Normalises with the batch's statistics; returns the running ones after momentum 0.1."""
    n = x.shape[0]
    mean, var = x.mean(0), x.var(0)
    if statistics is not None:
        for key, value in (("running_mean", mean), ("running_var", var * n / (n - 1))):
            key = f"{name}.{key}"
            statistics[key] = 0.9 * statistics[key] + 0.1 * jax.lax.stop_gradient(value)
    scale = p[f"{name}.weight"] * jax.lax.rsqrt(var + 1e-5)
    return (x - mean) * scale + p[f"{name}.bias"]


def mlp(p, name, x, layers, statistics):
    for i in range(layers - 1):
        x = linear(p, f"{name}.layers.{i}", x)
        if f"{name}.layers_bn.{i}.weight" in p:
            x = batch_norm(p, f"{name}.layers_bn.{i}", x, statistics)
        x = prelu(x, p[f"{name}.activation_fn.{i}.weight"])
    return linear(p, f"{name}.layers.{layers - 1}", x)


def embedding(t, dim=16):
    half = dim // 2
    frequencies = np.exp(np.arange(half) * (-math.log(10000.0) / (half - 1)), dtype=np.float32)
    angle = t[:, None] * frequencies
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=1)


def features(p, x, t, statistics=None):
    """[x_encoder(x), t_encoder(embedding(t))] -> net. Updates `statistics` in place."""
    h = [mlp(p, "x_encoder", x, 2, statistics), mlp(p, "t_encoder", embedding(t), 2, None)]
    return mlp(p, "net", jnp.concatenate(h, axis=1), 3, statistics)


def network_init(key, inputs, outputs, batch_norm, hidden=(300, 300)):
    kx, kt, kn = jax.random.split(key, 3)
    px, sx = mlp_init(kx, [inputs, 16, 32], "x_encoder", batch_norm)
    pt, _ = mlp_init(kt, [16, 16, 32], "t_encoder", False)
    pn, sn = mlp_init(kn, [64, *hidden, outputs], "net", batch_norm)
    return px | pt | pn, sx | sn


def energy(p, x, t):
    return features(p, x, t)[:, 0]


def generator(p, statistics, x_next, z, t):
    statistics = dict(statistics)
    return features(p, jnp.concatenate([x_next, z], axis=1), t, statistics), statistics


def encoder(p, statistics, x, x_next, t):
    statistics = dict(statistics)
    h = features(p, jnp.concatenate([x, x_next], axis=1), t, statistics)
    return linear(p, "fc_mu", h), linear(p, "fc_var", h), statistics


# Diffusion


def schedule():
    k = np.arange(STEPS + 1) / STEPS
    tau = 1e-3 + (1 - 1e-3) * k
    alpha_bar = np.exp(-0.5 * tau**2 * (BETA_MAX - BETA_MIN) - tau * BETA_MIN)
    beta = 1 - alpha_bar / np.concatenate([[1.0], alpha_bar[:-1]])
    keep, next_ = 1 - alpha_bar[:-1], 1 - alpha_bar[1:]
    tables = {
        "a": np.sqrt(1 - beta),
        "s": np.sqrt(beta),
        "a_bar": np.sqrt(alpha_bar),
        "s_bar": np.sqrt(1 - alpha_bar),
        "c1": beta[1:] * np.sqrt(alpha_bar[:-1]) / next_,
        "c2": keep * np.sqrt(1 - beta[1:]) / next_,
        "variance": beta[1:] * keep / next_,
    }
    return {name: value.astype(np.float32) for name, value in tables.items()}


def coefficients(tables, t):
    col = lambda name, i: jnp.asarray(tables[name])[i][:, None]  # noqa: E731
    variance = col("variance", t)
    return {
        "a_next": col("a", t + 1),
        "s_next": col("s", t + 1),
        "a_bar": col("a_bar", t),
        "s_bar": col("s_bar", t),
        "c1": col("c1", t),
        "c2": col("c2", t),
        "std": jnp.sqrt(variance) * (t > 0)[:, None],
        "recon_variance": jnp.maximum(variance, 1e-2),
    }


def log_normal(x, mean, variance):
    """log N(x; mean, variance I), summed over the dimensions."""
    return -0.5 * ((x - mean) ** 2 / variance + jnp.log(2 * math.pi * variance)).sum(1)


# Losses


def energy_loss(p, x, x_next, x_fake, t, c):
    """Minus the contrast of energies plus the R1 penalty on log p(x_t | x_{t+1}) (Eq. 23)."""

    def log_density(x):
        e = energy(p, x, t)
        return (e + log_normal(x_next, c["a_next"] * x, c["s_next"] ** 2)).sum(), e

    slope, real = jax.grad(log_density, has_aux=True)(x)
    penalty = 0.5 * R1_GAMMA * (slope**2).sum(1).mean()
    loss = (energy(p, x_fake, t) - real).mean() + penalty
    return loss, {"errD": loss, "grad_penalty": penalty}


def generator_loss(p, p_energy, statistics, x, x_next, n, c):
    """Both bounds of the Jeffreys divergence (Eqs. 17 and 19), term by term."""
    t, sg, se = n["t"], statistics["generator"], statistics["encoder"]
    x_fake, sg = generate(p["generator"], sg, x_next, n, c)
    energy_term = energy(p_energy, x_fake, t) + log_normal(
        x_next, c["a_next"] * x_fake, c["s_next"] ** 2
    )
    energy_term = energy_term.mean()

    mean, log_var, se = encoder(p["encoder"], se, x, x_next, t)
    z = mean + jnp.exp(0.5 * log_var) * n["eps_real"]
    kld = 0.5 * (mean**2 + jnp.exp(log_var) - 1 - log_var).sum(1).mean()
    x_0, sg = generator(p["generator"], sg, x_next, z, t)
    recon = -log_normal(x, c["c1"] * x_0 + c["c2"] * x_next, c["recon_variance"]).mean()

    mean, log_var, se = encoder(p["encoder"], se, x_fake, x_next, t)
    nll = 0.5 * (log_var + (n["z"] - mean) ** 2 / (1e-6 + jnp.exp(log_var))).sum(1).mean()
    latent = LATENT_WEIGHT * nll
    loss = -energy_term + latent + recon + kld
    metrics = {
        "errG": loss,
        "E_F": energy_term,
        "errLatent": latent,
        "err_Recon": recon,
        "errKld": kld,
    }
    return loss, (metrics, {"generator": sg, "encoder": se})


def generate(p, statistics, x_next, n, c):
    """A sample of p_phi(x_t | x_{t+1}) by way of a predicted clean point."""
    x_0, statistics = generator(p, statistics, x_next, n["z"], n["t"])
    return c["c1"] * x_0 + c["c2"] * x_next + c["std"] * n["posterior"], statistics


# Training


def adam_init(p):
    return {"m": jax.tree.map(jnp.zeros_like, p), "v": jax.tree.map(jnp.zeros_like, p)}


def adam(p, moments, grad, count, lr):
    m = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, moments["m"], grad)
    v = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, moments["v"], grad)
    bias1, bias2 = 1 - BETA1**count, jnp.sqrt(1 - BETA2**count)
    p = jax.tree.map(lambda p, m, v: p - lr / bias1 * m / (jnp.sqrt(v) / bias2 + EPS), p, m, v)
    return p, {"m": m, "v": v}


def init(key, hidden=(300, 300)):
    kd, kg, ke, kmu, kvar = jax.random.split(key, 5)
    p_energy, _ = network_init(kd, 2, 1, False, hidden)
    p_generator, s_generator = network_init(kg, 2 + LATENT, 2, True, hidden)
    p_encoder, s_encoder = network_init(ke, 4, 16, True, hidden)
    p_encoder |= linear_init(kmu, 16, LATENT, "fc_mu") | linear_init(kvar, 16, LATENT, "fc_var")
    both = {"generator": p_generator, "encoder": p_encoder}
    return {
        "energy": p_energy,
        "both": both,
        "energy_adam": adam_init(p_energy),
        "both_adam": adam_init(both),
        "statistics": {"generator": s_generator, "encoder": s_encoder},
        "count": jnp.zeros((), jnp.float32),
    }


def step(state, n, tables, lr=LR):
    """One iteration: the new state, and metrics with the gradients (dropped by jit when unused)."""
    c = coefficients(tables, n["t"])
    x = c["a_bar"] * n["data"] + c["s_bar"] * n["x_t"]
    x_next = c["a_next"] * x + c["s_next"] * n["x_next"]
    count = state["count"] + 1

    # XLA merges this forward pass with the one inside generator_loss.
    x_fake, _ = generate(state["both"]["generator"], state["statistics"]["generator"], x_next, n, c)
    grad_d, d = jax.grad(energy_loss, has_aux=True)(state["energy"], x, x_next, x_fake, n["t"], c)
    p_energy, energy_adam = adam(state["energy"], state["energy_adam"], grad_d, count, lr)

    grad_g, (g, statistics) = jax.grad(generator_loss, has_aux=True)(
        state["both"], p_energy, state["statistics"], x, x_next, n, c
    )
    both, both_adam = adam(state["both"], state["both_adam"], grad_g, count, lr)
    new = {
        "energy": p_energy,
        "both": both,
        "energy_adam": energy_adam,
        "both_adam": both_adam,
        "statistics": statistics,
        "count": count,
    }
    return new, {**d, **g}, {"netD": grad_d, "netG": grad_g["generator"], "netE": grad_g["encoder"]}


def sample_25gaussians(key, n):
    """n points, equally many of each of the 25 modes on a grid (remainder to the first modes)."""
    a, b = jax.random.split(key)
    ticks = 2.0 * np.arange(-2, 3)
    grid = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(25, 2)
    centres = grid[np.arange(n) % 25].astype(np.float32)
    points = (centres + 0.1 * jax.random.normal(a, (n, 2))) / 2.828
    return jax.random.permutation(b, points)


def draw(key):
    """The next key and everything random of one iteration."""
    key, k_data, k_t, k_noise = jax.random.split(key, 4)
    names = ("x_t", "x_next", "z", "posterior", "eps_real")
    noise = jax.random.normal(k_noise, (len(names), BATCH, 2))
    t = jax.random.randint(k_t, (BATCH,), 0, STEPS)
    return key, {"data": sample_25gaussians(k_data, BATCH), "t": t, **dict(zip(names, noise))}


if __name__ == "__main__":
    jax.config.update("jax_default_prng_impl", args.rng)
    tables = schedule()
    draw_jit = jax.jit(draw)
    step_jit = jax.jit(lambda state, n: step(state, n, tables)[:2], donate_argnums=0)
    current = {"key": jax.random.key(args.seed)}
    current["state"] = init(current["key"])

    def next_noise():
        current["key"], noise = draw_jit(current["key"])
        return noise

    def next_step(noise):
        current["state"], current["metrics"] = step_jit(current["state"], noise)

    driver.main(
        args,
        f"JAX {jax.__version__}",
        {"jax": jax.__version__, "rng": args.rng},
        next_noise,
        next_step,
        lambda: jax.block_until_ready((current["state"], current.get("metrics"))),
    )

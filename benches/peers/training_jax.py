"""The networks in JAX."""

from training_definition import (
    BATCH, CLASSES, GAIN, LEARNING_RATE, SEED, STEPS, TAU, torch_input, torch_labels)


def jax_parts():
    """Spikes with ATan, and neurons of one layer over all time steps."""
    import jax
    import jax.numpy as jnp

    @jax.custom_vjp
    def spike(v):
        return (v >= 1).astype(v.dtype)

    spike.defvjp(
        lambda v: (spike(v), v), lambda v, grad: (grad / (1 + (jnp.pi * (v - 1)) ** 2),))

    def charge(v, current):
        v = v + (current - v) / TAU
        spikes = spike(v)
        return v * (1 - spikes), spikes

    def lif(currents):
        return jax.lax.scan(
            charge, jnp.zeros_like(currents[0]), currents, unroll=min(8, len(currents)))[1]

    return charge, lif


def jax_weights(network):
    import jax

    shapes = {
        "A": [(784, 10)], "B": [(784, 512), (512, 10)],
        "D": [(700, 256), (256, 256), (256, 20)], "G": [],
    }[network]
    keys = jax.random.split(jax.random.key(SEED), len(shapes) + 1)
    return [
        GAIN[network] * jax.random.uniform(key, shape, minval=-1, maxval=1) / shape[0] ** 0.5
        for key, shape in zip(keys, shapes)
    ]


def jax_forward(network):
    """A function of weights, input and random key."""
    import jax
    import jax.numpy as jnp

    charge, lif = jax_parts()

    def forward_a(weights, x, key):
        spikes = jax.random.uniform(key, (STEPS["A"], *x.shape)) < x
        return lif(spikes.astype(x.dtype) @ weights[0]).mean(0)

    def forward_b(weights, x, _):
        current = x @ weights[0]
        hidden = lif(jnp.broadcast_to(current, (STEPS["B"], *current.shape)))
        return lif(hidden @ weights[1]).mean(0)

    def forward_d(weights, x, _):
        def recurrent(state, current):
            v, spikes = charge(state[0], current + state[1] @ weights[1])
            return (v, spikes), spikes

        def readout(v, current):
            v = v + (current - v) / TAU
            return v, v

        silent = jnp.zeros((BATCH["D"], 256))
        spikes = jax.lax.scan(recurrent, (silent, silent), x @ weights[0])[1]
        return jax.lax.scan(readout, jnp.zeros((BATCH["D"], 20)), spikes @ weights[2])[1].mean(0)

    def forward_g(_, x, __):
        return lif(x)

    return {"A": forward_a, "B": forward_b, "D": forward_d, "G": forward_g}[network]


def jax_adam(weights, moments, grads, count):
    """One step of Adam with the usual constants."""
    import jax.numpy as jnp

    def update(weight, moment, grad):
        first = 0.9 * moment[0] + 0.1 * grad
        second = 0.999 * moment[1] + 0.001 * grad**2
        scale = jnp.sqrt(second / (1 - 0.999**count)) + 1e-8
        return weight - LEARNING_RATE * first / (1 - 0.9**count) / scale, (first, second)

    pairs = [update(*each) for each in zip(weights, moments, grads)]
    return [weight for weight, _ in pairs], [moment for _, moment in pairs]


def jax_training(network, forward, weights, x):
    import jax
    import jax.numpy as jnp

    labels = jnp.asarray(torch_labels(network).numpy())
    one_hot = jax.nn.one_hot(labels, CLASSES[network])

    def loss(weights, key):
        output = forward(weights, x, key)
        if network == "D":
            return -(one_hot * jax.nn.log_softmax(output)).sum(1).mean()
        return ((output - one_hot) ** 2).mean()

    def update(weights, moments, count):
        key = jax.random.fold_in(jax.random.key(SEED), count)
        value, grads = jax.value_and_grad(loss)(weights, key)
        return value, *jax_adam(weights, moments, grads, count)

    update = jax.jit(update, donate_argnums=(0, 1))
    moments = [(jnp.zeros_like(w), jnp.zeros_like(w)) for w in weights]
    state = {"weights": weights, "moments": moments, "count": 0}

    def step():
        state["count"] += 1
        value, state["weights"], state["moments"] = update(
            state["weights"], state["moments"], state["count"])
        jax.block_until_ready((value, state["weights"]))
        return float(value)

    return step


def jax_inference(forward, weights, x):
    import jax

    infer = jax.jit(lambda x, count: forward(
        weights, x, jax.random.fold_in(jax.random.key(SEED), count)))
    state = {"count": 0}

    def step():
        state["count"] += 1
        jax.block_until_ready(infer(x, state["count"]))

    return step


def jax_layer_training(forward, x):
    """Forward and backward through neurons alone."""
    import jax
    import jax.numpy as jnp

    grad = jnp.asarray(torch_input("G").numpy())

    @jax.jit
    def both(x, grad):
        spikes, backward = jax.vjp(lambda x: forward([], x, None), x)
        return spikes, backward(grad)[0]

    return lambda: jax.block_until_ready(both(x, grad))


def jax_step(network, mode):
    import jax.numpy as jnp

    forward, weights = jax_forward(network), jax_weights(network)
    x = jnp.asarray(torch_input(network).numpy())
    if mode == "infer":
        return jax_inference(forward, weights, x)
    if network == "G":
        return jax_layer_training(forward, x)
    return jax_training(network, forward, weights, x)

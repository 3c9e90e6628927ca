"""Networks A to D and the layer G: sizes, input, labels."""

BATCH = {"A": 128, "B": 128, "C": 64, "D": 64}
STEPS = {"A": 100, "B": 8, "C": 4, "D": 100, "G": 32}
CLASSES = {"A": 10, "B": 10, "C": 10, "D": 20}
# Factors on the usual initial weights, without which hidden layers would be silent.
GAIN = {"A": 1, "B": 6, "C": 2, "D": 8}
LAYER = 1_000_000
TAU = 2.0
LEARNING_RATE = 1e-3
SEED = 1


def work_per_step(network):
    """What one timed step counts for, and its unit."""
    if network == "D":
        return 1, "steps"
    if network == "G":
        return STEPS["G"] * LAYER, "elements"
    return BATCH[network], "samples"


# Inputs and targets


def torch_input(network):
    """Images have the mean of Fashion-MNIST (0.286), spike trains are 2 % active."""
    import torch

    if network == "G":
        return 2 * torch.rand(STEPS["G"], LAYER)
    if network == "D":
        return (torch.rand(STEPS["D"], BATCH["D"], 700) < 0.02).float()
    shape = (1, 28, 28) if network == "C" else (784,)
    return torch.rand(BATCH[network], *shape) ** 2.5


def torch_labels(network):
    import torch

    return torch.arange(BATCH[network]) % CLASSES[network]

"""What networks that look at a whole batch compute of it, to compare one process with several."""

import torch
from torch import nn

from styleT2I.networks.stylegan2.discriminator import append_minibatch_std
from styleT2I.torch_utils import distributed
from styleT2I.training.shared_layers import share_layers

NUM = 8


def write_gradients(path):
    """With the other processes: first and second derivatives of what the layers compute, rows in their order."""
    with distributed.group(torch.device("cpu")):
        found = gradients()
        if distributed.is_first():
            torch.save(found, path)


def gradients() -> dict[str, torch.Tensor]:
    """Images' gradients of an R1-like penalty through batch norm, dropout and minibatch standard deviation, those of
    the weights, the running statistics, and a contrast of all rows."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Softplus(), nn.Dropout(0.3)).double()
    head = nn.Linear(5 * 16, 1).double()
    whole = torch.randn(NUM, 3, 6, 6, dtype=torch.float64)
    share_layers([network])
    own = distributed.own_rows(NUM)
    image = whole[own].requires_grad_()
    torch.manual_seed(1)
    logits = head(append_minibatch_std(network(image), 4, 1).flatten(1))
    (slope,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
    every = distributed.gathered(logits)
    contrast = torch.logsumexp(every @ every.t(), dim=1).mean()
    loss = slope.square().sum(dim=(1, 2, 3)).mean() + contrast
    parameters = [*network.parameters(), *head.parameters()]
    loss.backward()
    distributed.average_gradients(parameters)
    return {
        "slope": distributed.gathered(slope.detach()),
        **{f"gradient {k}": parameter.grad for k, parameter in enumerate(parameters)},
        **{name: tensor.clone() for name, tensor in network.state_dict().items()},
        "loss": distributed.averaged(loss.detach()),
        "rolled": distributed.gathered(distributed.rolled(whole[own], 3)),
        "drawn": distributed.gathered(distributed.draw_rows(torch.rand, len(image), 2, generator=torch.Generator())),
    }

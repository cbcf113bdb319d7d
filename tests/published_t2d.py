"""The text network of the StyleT2I authors written out from the paper, with GloVe vectors of a few words."""

import numpy as np
import torch
from torch import nn

WORDS = ["the", "woman", "has", "lipstick", "man", "'s", "Mr", "she", "smiling", "wearing", ","]
VECTORS = dict(zip(WORDS, np.random.RandomState(0).randn(len(WORDS), 5).round(4), strict=True))


class Published(nn.Module):
    """GloVe -> bi-GRU, mean of the last states -> [sentence, w] -> three linear layers -> W+ (papers' description)."""

    def __init__(self, embedding_dim=5, hidden_dim=4, w_dim=8, num_ws=6, name="sentence_rnn"):
        super().__init__()
        self.name, self.num_ws = name, num_ws
        self.add_module(name, nn.GRU(embedding_dim, hidden_dim, batch_first=True, bidirectional=True))
        out = w_dim * num_ws
        self.mlp = nn.Sequential(
            nn.Linear(hidden_dim + w_dim, out), nn.ReLU(), nn.Linear(out, out), nn.ReLU(), nn.Linear(out, out)
        )

    def forward(self, sentences, w):
        features = []
        for words in sentences:
            vectors = torch.tensor(np.stack([VECTORS.get(word, np.zeros(5)) for word in words])).float()
            states, _ = getattr(self, self.name)(vectors[None])
            forward, backward = states[0].chunk(2, dim=1)
            features.append((forward[-1] + backward[0]) / 2)
        return self.mlp(torch.cat([torch.stack(features), w], dim=1)).unflatten(1, (self.num_ws, -1))


def published(**changes):
    torch.manual_seed(0)
    return Published(**changes).eval()


def write_glove(path, dim=5):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{word} {' '.join(map(str, v[:dim]))}\n" for word, v in VECTORS.items()))
    return path


def save(path, network, prefix="", **others):
    torch.save({"sentence_encoder": {prefix + k: v for k, v in network.state_dict().items()}, **others}, path)
    return path

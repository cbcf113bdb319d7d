"""What the index of GloVe vectors costs and gains: `python benchmarks/glove.py` (a synthetic file of GloVe's size).

Prints a table: indexing once, opening the file with the index in the cache, and looking up the words of a data set,
against reading the whole file for them each time.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from styleT2I.formats.texts.glove import Glove

NUM_LOOKED_UP = 2000  # words of a data set's captions


def write_file(path, num_words, dim):
    """`num_words` lines as in glove.6B.300d.txt; the numbers repeat every 997 words, which costs a reader the same."""
    random = np.random.RandomState(0)
    vectors = [" ".join(f"{number:.5f}" for number in random.randn(dim)) for _ in range(997)]
    with open(path, "w") as file:
        file.writelines(f"word{number} {vectors[number % 997]}\n" for number in range(num_words))


def whole_file(path, words):
    """The plain way: go through all lines, keep the wanted ones."""
    wanted, found = set(words), {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            word, _, rest = line.partition(" ")
            if word in wanted:
                found[word] = [float(number) for number in rest.split()]
    return found


def timed(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=400_000, help="lines of the file (glove.6B has 400,000)")
    parser.add_argument("--dim", type=int, default=300, help="numbers per line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, cache = Path(folder) / "glove.txt", Path(folder) / "cache"
        write_file(path, arguments.words, arguments.dim)
        picks = np.random.RandomState(1).choice(arguments.words, min(NUM_LOOKED_UP, arguments.words), replace=False)
        words = [f"word{pick}" for pick in picks]
        scan, found = timed(lambda: whole_file(path, words))
        build, _ = timed(lambda: Glove(path, cache))
        reopen, glove = timed(lambda: Glove(path, cache))
        lookup, (vectors, missing) = timed(lambda: glove.vectors([*words, "lipstik"]))
        assert missing == ["lipstik"]
        assert np.allclose(vectors[:-1], [found[word] for word in words])
        index = sum(file.stat().st_size for file in cache.glob("*"))
        print(f"{arguments.words:,} words of {arguments.dim} numbers: {path.stat().st_size / 2**20:,.0f} MiB")
        print(f"its index: {index / 2**20:,.1f} MiB\n")
        print(f"{'':40}{'seconds':>10}{'of a scan':>12}")
        for name, seconds in (
            ("scan of the whole file", scan),
            ("indexing, once", build),
            ("opening, index in the cache", reopen),
            (f"looking up {len(words):,} words", lookup),
        ):
            print(f"{name:40}{seconds:>10.3f}{seconds / scan:>11.1%}")


if __name__ == "__main__":
    main()

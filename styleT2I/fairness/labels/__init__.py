"""People's labels of a random sample of an audit's own images: the sample, the page to label it, the answers."""

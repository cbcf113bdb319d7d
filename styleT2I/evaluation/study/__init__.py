"""A user study: pairs of images in random order with a form to fill in, and the count of what people answered."""

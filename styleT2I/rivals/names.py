"""The names that `--method` takes, for commands that have not imported torch yet."""

A2D = "a2d"  # the model's own Attribute-to-Direction network; nothing else here needs a training
FOUND = ("interfacegan", "interfacegan-conditional", "ganspace", "sefa", "stylespace", "styleclip")
OPTIMISED = ("optimize", "tedigan")  # a latent for a sentence
DIRECTION_METHODS = (A2D, *FOUND)  # a direction for an attribute
SYSTEM_METHODS = (*OPTIMISED, *FOUND)  # what draws a sentence without Text-to-Direction
NUM_SAMPLES = 1000  # faces that directions are found on unless told

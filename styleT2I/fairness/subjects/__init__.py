"""What is audited: models, functions, folders of images."""

"""Small helpers over files, devices, seeds, images and logs; installed as `styleT2I.torch_utils`."""

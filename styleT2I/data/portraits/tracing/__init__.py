"""From meshes to pixels: camera, light, ray tracing, shading."""

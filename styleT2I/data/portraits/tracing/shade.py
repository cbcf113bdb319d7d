"""From surfaces and the light on them to radiance: diffuse light softened under skin, gloss, wet eyes."""

from __future__ import annotations

import cv2
import numpy as np

from styleT2I.data.portraits.parts import PART
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.camera import Camera
from styleT2I.data.portraits.tracing.colours import luminance, smoothstep
from styleT2I.data.portraits.tracing.gbuffer import Surfaces
from styleT2I.data.portraits.tracing.light import radiance
from styleT2I.data.portraits.tracing.reflections import Reflections

_SKIN = [PART[name] for name in ("skin", "nose", "l_ear", "r_ear", "u_lip", "l_lip", "neck")]
_EYES = [PART["l_eye"], PART["r_eye"]]
_SCATTER = ((0.030, 0.013, 0.008), (0.075, 0.022, 0.010))  # dm: radii of red, green, blue light under the skin
_GLOSS = {"hair": 0.035, "beard": 0.03, "l_brow": 0.02, "r_brow": 0.02, "cloth": 0.025, "hat": 0.025}
_SKIN_GLOSS = 0.028
_EYE_GLOSS = 0.035
_EYE_DULL = 0.5  # radiance that eyes do not mirror: only lights glint, and irises keep their colour
_TEETH_OPENNESS = 0.75
_EYE_OPENNESS = 0.5  # lashes are thinner than they are modelled, and eyeballs let light through: less shadow on them


def shade(surfaces: Surfaces, light: np.ndarray, environment: np.ndarray, camera: Camera, scene: Scene) -> np.ndarray:
    """Return linear radiance f32 [N, N, 3], 0 where nothing is seen; `light` is `illumination.irradiance`'s."""
    reflections, free = Reflections(environment), np.zeros_like(light)
    free[surfaces.seen] = reflections.irradiance(surfaces.normal[surfaces.seen])
    open_sky = np.clip(luminance(light) / np.maximum(luminance(free), 1e-4), 0, 1)
    diffuse = _scattered(_bounced(light, open_sky, surfaces), surfaces, camera)
    eyes = np.isin(surfaces.part, _EYES)
    diffuse[eyes] = 0.85 * free[eyes] * open_sky[eyes, None] ** _EYE_OPENNESS
    teeth = surfaces.part == PART["mouth"]
    diffuse[teeth] = free[teeth] * open_sky[teeth, None] ** _TEETH_OPENNESS
    colour = surfaces.albedo * diffuse * (1 - surfaces.metallic[..., None])
    colour += _gloss(surfaces, open_sky, reflections, camera, scene)
    return np.where(surfaces.seen[..., None], colour, 0).astype(np.float32)


def _bounced(light: np.ndarray, open_sky: np.ndarray, surfaces: Surfaces) -> np.ndarray:
    """Brighten shaded creases by the light that their own walls pass on (as after many bounces)."""
    shade_ = (1 - open_sky)[..., None]
    return light / np.maximum(1 - 0.75 * surfaces.albedo * shade_, 0.3) + 0.02 * shade_ * surfaces.albedo


def _scattered(light: np.ndarray, surfaces: Surfaces, camera: Camera) -> np.ndarray:
    """Let light spread under the skin, red the farthest."""
    skin = np.isin(surfaces.part, _SKIN) & surfaces.seen
    if not skin.any():
        return light
    per_dm = len(skin) / (2 * camera.tan_half * float(np.median(surfaces.depth[skin])))
    mask = skin.astype(np.float32)
    softened = np.zeros_like(light)
    for radii in _SCATTER:
        for channel, radius in enumerate(radii):
            sigma = max(radius * per_dm, 0.3)
            weight = cv2.GaussianBlur(mask, (0, 0), sigma)
            spread = cv2.GaussianBlur(light[..., channel] * mask, (0, 0), sigma) / np.maximum(weight, 1e-3)
            softened[..., channel] += spread / len(_SCATTER)
    return np.where(skin[..., None], softened, light)


def _gloss(
    surfaces: Surfaces, open_sky: np.ndarray, reflections: Reflections, camera: Camera, scene: Scene
) -> np.ndarray:
    """Return the light that surfaces mirror, rougher ones in a wider lobe; shadowed as their diffuse light is."""
    seen = surfaces.seen
    normal, view = surfaces.normal[seen], surfaces.to_camera[seen]
    facing = np.clip((normal * view).sum(-1), 0.02, 1)
    mirrored = 2 * facing[:, None] * normal - view
    base = _reflectance(surfaces)[seen]
    roughness, metallic = surfaces.roughness[seen], surfaces.metallic[seen][:, None]
    base = base[:, None] * (1 - metallic) + surfaces.albedo[seen] * metallic
    edge = (1 - facing) ** 5 * (1 - roughness) ** 1.5
    fresnel = base + (1 - base) * edge[:, None] * 0.6
    light = reflections.mirrored(mirrored, roughness)
    eyes = np.isin(surfaces.part[seen], _EYES)
    light[eyes] = np.maximum(radiance(camera.to_view(mirrored[eyes].astype(float)), scene) - _EYE_DULL, 0)
    shadow = np.where(eyes, smoothstep(0.02, 0.2, open_sky[seen]), open_sky[seen])
    image = np.zeros(seen.shape + (3,), np.float32)
    image[seen] = light * fresnel * shadow[:, None]
    return image


def _reflectance(surfaces: Surfaces) -> np.ndarray:
    """Return what surfaces mirror head on [N, N]."""
    table = np.full(256, _SKIN_GLOSS, np.float32)
    for name, value in _GLOSS.items():
        table[PART[name]] = value
    table[_EYES] = _EYE_GLOSS
    return table[surfaces.part]

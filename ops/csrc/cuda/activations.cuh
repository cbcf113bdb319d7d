// Activations with their first and second derivatives.
#pragma once
#include "launch.cuh"

constexpr float SELU_SCALE = 1.0507009873554805f, SELU_ALPHA = 1.6732632423543772f;

struct Derivatives {
    float value, first, second;
};

// Linear, ReLU and leaky ReLU have no second derivative, and differ in their slope below zero.
inline bool is_piecewise_linear(Act act) { return act == Act::LINEAR || act == Act::RELU || act == Act::LRELU; }

__device__ inline float slope_below_zero(Act act, float alpha) {
    return act == Act::LINEAR ? 1 : act == Act::RELU ? 0 : alpha;
}

__device__ inline Derivatives piecewise_linear(float v, float slope) {
    const float below = slope == 0 ? 0 : v * slope;  // 0 of -infinity too
    return {v < 0 ? below : v, v > 0 ? 1 : slope, 0};  // NaN stays NaN
}

__device__ inline Derivatives activate(Act act, float v, float alpha) {
    switch (act) {
        case Act::TANH: {
            const float t = tanhf(v);
            return {t, 1 - t * t, -2 * t * (1 - t * t)};
        }
        case Act::SIGMOID: {
            const float s = 1 / (1 + expf(-v));
            return {s, s * (1 - s), s * (1 - s) * (1 - 2 * s)};
        }
        case Act::ELU:
            return v > 0 ? Derivatives{v, 1, 0} : Derivatives{expm1f(v), expf(v), expf(v)};
        case Act::SELU: {
            const float e = SELU_SCALE * SELU_ALPHA * expf(v);
            return v > 0 ? Derivatives{SELU_SCALE * v, SELU_SCALE, 0}
                         : Derivatives{SELU_SCALE * SELU_ALPHA * expm1f(v), e, e};
        }
        case Act::SOFTPLUS: {
            const float s = 1 / (1 + expf(-v));
            return {v > 0 ? v + log1pf(expf(-v)) : log1pf(expf(v)), s, s * (1 - s)};
        }
        case Act::SWISH: {
            const float s = 1 / (1 + expf(-v));
            return {v * s, s * (1 + v * (1 - s)), s * (1 - s) * (2 + v * (1 - 2 * s))};
        }
        default:
            return piecewise_linear(v, slope_below_zero(act, alpha));
    }
}

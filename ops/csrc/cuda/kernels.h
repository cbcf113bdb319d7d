// What the CUDA kernels are given, free of torch's headers so that the CUDA toolkit alone compiles them.
#pragma once
#include <cuda_runtime_api.h>

enum class Type { FLOAT, HALF, BFLOAT16 };

// A dense image tensor in memory order [N, C, pixels] or, with channels last, [N, pixels, C].
struct Layout {
    long long num, channels, pixels;
    bool is_channels_last;
};

enum class Act { LINEAR, RELU, LRELU, TANH, SIGMOID, ELU, SELU, SOFTPLUS, SWISH };

// With v = x * scale + noise + bias and f(v) = gain * act(v), limited to [-clamp, clamp]:
// order 0: y = f(v); order 1: y = grad * f'(v); order 2: y = grad * grad2 * f''(v); each times next_styles.
// Arithmetic is in float.
struct BiasAct {
    const void *x, *grad, *grad2;  // of one type and layout with y; grad from order 1 on, grad2 for order 2
    const float *bias, *scale, *noise, *next_styles;  // [C], [N, C], [1 or N, pixels], [N, C]; each may be null
    void* y;
    long long noise_step;  // pixels, or 0 for one noise for all samples
    Layout layout;
    Type type;
    Act act;
    int order;
    float alpha, gain, clamp;  // clamp: infinity for none
};
void launch_bias_act(const BiasAct& p, cudaStream_t stream);

struct Axis {
    int in, out, up, down, pad, taps;  // pad: zeros before the first pixel, negative to crop
};

// Correlation of the zero-inserted, padded image with filter[y.taps, x.taps], every down-th result of it. A separable
// filter[taps] is that of both axes.
struct Upfirdn {
    const void* x;
    const float* filter;
    void* y;
    long long num, channels;
    Axis y_axis, x_axis;
    bool is_separable, is_channels_last;
    Type type;
};
void launch_upfirdn2d(const Upfirdn& p, cudaStream_t stream);

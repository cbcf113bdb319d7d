// Demodulation, noise, bias, activation, gain, clamp and the next layer's styles in one pass, with first and second
// derivative.
#include "launch.cuh"

namespace {

constexpr float SELU_SCALE = 1.0507009873554805f, SELU_ALPHA = 1.6732632423543772f;

struct Derivatives {
    float value, first, second;
};

__device__ inline Derivatives activate(Act act, float v, float alpha) {
    switch (act) {
        case Act::RELU:
            return {v < 0 ? 0 : v, v > 0 ? 1.f : 0.f, 0};
        case Act::LRELU:
            return {v > 0 ? v : v * alpha, v > 0 ? 1 : alpha, 0};
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
            return {v, 1, 0};
    }
}

__device__ inline float apply(const BiasAct& p, float v, float grad, float grad2) {
    const Derivatives d = activate(p.act, v, p.alpha);
    const float value = d.value * p.gain;
    if (p.order == 0) return value > p.clamp ? p.clamp : value < -p.clamp ? -p.clamp : value;  // NaN stays NaN
    if (fabsf(value) > p.clamp) return 0;
    return p.order == 1 ? grad * p.gain * d.first : grad * grad2 * p.gain * d.second;
}

// An item is N neighbours in memory: pixels of one channel, or channels of one pixel.
template <class T, int N, class Index>
__global__ void bias_act_kernel(BiasAct p, Index num_items) {
    const Layout& l = p.layout;
    const Index num_inner = l.is_channels_last ? l.channels : l.pixels;
    const Index num_middle = l.is_channels_last ? l.pixels : l.channels;
    for (Index item = Index(blockIdx.x) * BLOCK_SIZE + threadIdx.x; item < num_items;
         item += Index(gridDim.x) * BLOCK_SIZE) {
        const Index outer = item * N / num_inner, inner = item * N - outer * num_inner;
        const Index sample = outer / num_middle, middle = outer - sample * num_middle;
        const Pack<T, N> x = ((const Pack<T, N>*)p.x)[item];
        Pack<T, N> grad = {}, grad2 = {}, y;
        if (p.order >= 1) grad = ((const Pack<T, N>*)p.grad)[item];
        if (p.order == 2) grad2 = ((const Pack<T, N>*)p.grad2)[item];
        for (int i = 0; i < N; i++) {
            const Index channel = l.is_channels_last ? inner + i : middle;
            const Index pixel = l.is_channels_last ? middle : inner + i;
            const long long map = (long long)sample * l.channels + channel;
            float v = to_float(x.value[i]);
            if (p.scale) v *= p.scale[map];
            if (p.noise) v += p.noise[(long long)sample * p.noise_step + pixel];
            if (p.bias) v += p.bias[channel];
            const float result = apply(p, v, to_float(grad.value[i]), to_float(grad2.value[i]));
            from_float(p.next_styles ? result * p.next_styles[map] : result, y.value[i]);
        }
        ((Pack<T, N>*)p.y)[item] = y;
    }
}

}  // namespace

void launch_bias_act(const BiasAct& p, cudaStream_t stream) {
    const Layout& l = p.layout;
    const long long size = l.num * l.channels * l.pixels, inner = l.is_channels_last ? l.channels : l.pixels;
    const bool can_pack = is_aligned(p.x) && is_aligned(p.grad) && is_aligned(p.grad2) && is_aligned(p.y);
    with_type(p.type, [&](auto zero) {
        using T = decltype(zero);
        constexpr int WIDE = 16 / sizeof(T);
        with_index(size, [&](auto index) {
            if (can_pack && inner % WIDE == 0)
                launch(bias_act_kernel<T, WIDE, decltype(index)>, p, size / WIDE, stream);
            else
                launch(bias_act_kernel<T, 1, decltype(index)>, p, size, stream);
        });
    });
}

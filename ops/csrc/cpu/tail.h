// The element-wise ends of the convolutions: activation on the way forward, its derivative on the way back.
#pragma once
#include "layer.h"
#include "vec.h"

namespace {

INLINE vec activate(vec conv, vec demod, vec bias, float noise, float slope, float limit) {
    vec v = conv * demod + (bias + noise);
    v = v > 0 ? v : v * slope;
    v = v > limit ? splat(limit) : v;
    return v < -limit ? splat(-limit) : v;
}

// A Tail at work on some channels of one sample, pixel by pixel.
struct TailLanes {
    const Tail& tail;
    const long num_channels, num_pixels, sample, channel;
    vec style, demod, bias, rgb[3], sums[NUM_SUMS];
    const float *noise, *image_grad;

    INLINE TailLanes begin(const Tail& tail, long num_channels, long num_pixels, long sample, long channel) {
        TailLanes s{tail, num_channels, num_pixels, sample, channel, {}, {}, {}, {}, {}, nullptr, nullptr};
        const long at = sample * num_channels + channel;
        if (tail.style) s.style = load(tail.style + at);
        if (tail.image_grad) {
            s.image_grad = tail.image_grad + sample * 3 * num_pixels;
            for (int o = 0; o < 3; o++) s.rgb[o] = load(tail.rgb_weight + (sample * 3 + o) * num_channels + channel);
        }
        if (tail.act) {
            s.demod = load(tail.act->demod + at);
            s.bias = load(tail.act->bias + channel);
            s.noise = tail.act->noise + sample * tail.act->noise_step;
        }
        return s;
    }

    // grad: of the scaled y at `pixel`. Returns the gradient of the output of y's convolution and adds to the sums:
    // SUM_STYLE grad * y; SUM_DEMOD gradient of the activation's input times the part that demod multiplied;
    // SUM_RGB + o image gradient of colour o times y.
    inline __attribute__((always_inline)) vec step(vec grad, vec y, long pixel) {
        if (tail.style) {
            sums[SUM_STYLE] += grad * y;
            grad *= style;
        }
        if (tail.image_grad)
            for (int o = 0; o < 3; o++) {
                const vec g = splat(image_grad[o * num_pixels + pixel]);
                grad += g * rgb[o];
                sums[SUM_RGB + o] += g * y;
            }
        if (tail.act) {
            const float slope = tail.act->slope, limit = tail.act->limit;
            grad = y > 0 ? grad : grad * slope;
            grad = (y >= limit) | (y <= -limit) ? vec{} : grad;
            const vec before = y > 0 ? y : y * (1 / slope);
            sums[SUM_DEMOD] += grad * (before - (bias + noise[pixel]));
            grad *= demod;
        }
        return grad;
    }

    // `slot` holds [NUM_SUMS, N, C].
    inline __attribute__((always_inline)) void end(float* slot, long num_samples) {
        for (int i = 0; i < NUM_SUMS; i++) {
            float* to = slot + (i * num_samples + sample) * num_channels + channel;
            store(to, load(to) + sums[i]);
        }
    }
};

}  // namespace

// The RGB outputs: 1x1 convolutions to three colours, and the start of the way back.
#pragma once
#include "conv.h"

namespace {

INLINE float sum_lanes(vec v) {
    float at[VEC_LANES];
    store(at, v);
    for (int n = VEC_LANES / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++) at[i] += at[i + n];
    return at[0];
}

// image[N, 3, pixels] = weight[N, 3, C] x[N, C / 16, pixels, 16]
static void rgb_forward(long num, long blocks, long pixels, const float* x, const float* weight, float* image,
                        Threads threads) {
    constexpr long GROUP = 4;  // a multiple of which `pixels` is
    const long parts = (pixels + 1023) / 1024;
    share_out(threads, num * parts, [&](long, long i) {
        const long sample = i / parts, part = i % parts;
        for (long p = pixels / GROUP * part / parts * GROUP; p < pixels / GROUP * (part + 1) / parts * GROUP; p += GROUP) {
            vec sum[GROUP][3] = {};
            for (long block = 0; block < blocks; block++)
                for (int lane = 0; lane < BLOCK; lane += VEC_LANES) {
                    const float* w = weight + sample * 3 * blocks * BLOCK + block * BLOCK + lane;
                    const float* at = x + ((sample * blocks + block) * pixels + p) * BLOCK + lane;
                    for (int g = 0; g < GROUP; g++) {
                        const vec v = load(at + g * BLOCK);
                        for (int o = 0; o < 3; o++) sum[g][o] += v * load(w + o * blocks * BLOCK);
                    }
                }
            for (int g = 0; g < GROUP; g++)
                for (int o = 0; o < 3; o++) image[(sample * 3 + o) * pixels + p + g] = sum_lanes(sum[g][o]);
        }
    });
}

// A row of twice the width, added to `colours`: out[2j] = taps[0] v[j - 1] + taps[2] v[j], out[2j + 1] = taps[1] v[j] +
// taps[3] v[j + 1]. v has a zero before it and one behind.
INLINE void enlarge_row(const float* v, const float* taps, long width, const float* colours, float* out) {
    const float t0 = taps[0], t1 = taps[1], t2 = taps[2], t3 = taps[3];
    for (long j = 0; j < width; j++) {
        out[2 * j] = colours[2 * j] + (t0 * v[j - 1] + t2 * v[j]);
        out[2 * j + 1] = colours[2 * j + 1] + (t1 * v[j] + t3 * v[j + 1]);
    }
}

// out[planes, 2 height, 2 width] = colours + the image[planes, height, width] enlarged by the resampling filter.
static void add_enlarged(long planes, long height, long width, const float* image, const float* taps,
                         const float* colours, float* out, Threads threads) {
    share_out(threads, planes * height, [&](long, long i) {
        const long y = i % height;
        const float *row = image + i * width, *above = y > 0 ? row - width : nullptr,
                    *below = y + 1 < height ? row + width : nullptr;
        float* v = scratch.reserve(width + 2) + 1;
        v[-1] = v[width] = 0;
        for (long odd = 0; odd < 2; odd++) {
            const float* other = odd ? below : above;
            const float near = taps[odd ? 1 : 2], far = other ? taps[odd ? 3 : 0] : 0;
            if (!other) other = row;
            for (long j = 0; j < width; j++) v[j] = near * row[j] + far * other[j];
            const long at = (2 * i + odd) * 2 * width;
            enlarge_row(v, taps, width, colours + at, out + at);
        }
    });
}

// The tail of the last layer, which only an RGB output reads.
static void last_backward(long num, long blocks, long height, long width, const Tail& tail, Threads threads) {
    const long pixels = height * width;
    share_out(threads, num * blocks, [&](long slot, long plane) {
        for (int lane = 0; lane < BLOCK; lane += VEC_LANES) {
            const long sample = plane / blocks, channel = plane % blocks * BLOCK + lane;
            float* grad = tail.grad + plane * pixels * BLOCK + lane;
            const float* y = tail.y + plane * pixels * BLOCK + lane;
            TailLanes lanes = TailLanes::begin(tail, blocks * BLOCK, pixels, sample, channel);
            for (long p = 0; p < pixels; p++) store(grad + p * BLOCK, lanes.step(vec{}, load(y + p * BLOCK), p));
            lanes.end(tail.sums_of(slot, num, blocks), num);
        }
    });
}

}  // namespace

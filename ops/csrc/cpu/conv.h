// The 3x3 convolution at one size, and the data gradient of the up-convolution: what ends in tiles of 4x4 pixels.
#pragma once
#include "tail.h"
#include "tiles.h"
#include "winograd.h"

namespace {

// Tiles [first, last) in order of sample, row, column.
struct TileRange {
    long first, last, tiles_y, tiles_x;

    template <class Work>
    INLINE void each(const TileRange& range, Work work) {
        long x = range.first % range.tiles_x, y = range.first / range.tiles_x % range.tiles_y,
             sample = range.first / range.tiles_x / range.tiles_y;
        for (long t = range.first; t < range.last; t++) {
            work(t - range.first, sample, y, x);
            if (++x == range.tiles_x) x = 0, y++;
            if (y == range.tiles_y) y = 0, sample++;
        }
    }
};

// What a three-tap convolution sees of a tile: OUT + 2 rows and columns from one before it on, scaled by the styles.
template <int OUT>
struct SameSizeInput {
    static constexpr int SIZE = OUT;
    static constexpr bool IS_RESAMPLED = false;

    INLINE void read(const Convolution& c, long sample, long block, int lane, long y, long x, float* const* to, long t) {
        constexpr int N = OUT + 2;
        const float* image = c.x + (sample * c.in_blocks + block) * c.height * c.width * BLOCK + lane;
        const vec style = c.style ? load(c.style + (sample * c.in_blocks + block) * BLOCK + lane) : splat(1);
        vec half[N][N];
        for (int i = 0; i < N; i++) {
            const long row = OUT * y - 1 + i;
            vec d[N];
            load_row<N>(row >= 0 && row < c.height ? image + row * c.width * BLOCK : nullptr, OUT * x - 1, c.width, d);
            for (int j = 0; j < N; j++) d[j] *= style;
            transform_input<OUT, false>(d, half[i]);
        }
        for (int px = 0; px < N; px++) {
            vec d[N], out[N];
            for (int i = 0; i < N; i++) d[i] = half[i][px];
            transform_input<OUT, false>(d, out);
            for (int py = 0; py < N; py++) store(to[py * N + px] + t * BLOCK + lane, out[py]);
        }
    }
};

// One axis of the gradient of the resampling filter and of the stride-2 convolution before it: 2 OUT + 4 values, of the
// large image from 2 OUT t - 2 on, give 2 OUT + 1 of the unfiltered one; the even ones meet two taps, the odd ones one.
template <int OUT>
INLINE void filter_and_split(const vec* d, const float* taps, vec* out) {
    vec even[OUT + 1];
    for (int j = 0; j < 2 * OUT + 1; j++) {
        const vec v = taps[0] * d[j + 3] + taps[1] * d[j + 2] + taps[2] * d[j + 1] + taps[3] * d[j];
        if (j % 2 == 0)
            even[j / 2] = v;
        else
            out[OUT + 1 + j / 2] = v;
    }
    transform_input<OUT, true>(even, out);
}

// The gradient of an up-convolution's result, twice the size of the tiles' image.
template <int OUT>
struct DoubleSizeInput {
    static constexpr int SIZE = OUT;
    static constexpr bool IS_RESAMPLED = true;

    INLINE void read(const Convolution& c, long sample, long block, int lane, long y, long x, float* const* to, long t) {
        constexpr int N = 2 * OUT + 4, AXIS = 2 * OUT + 1;
        const long height = 2 * c.height, width = 2 * c.width;
        const float* image = c.x + (sample * c.in_blocks + block) * height * width * BLOCK + lane;
        vec half[N][AXIS];
        for (int i = 0; i < N; i++) {
            const long row = 2 * OUT * y - 2 + i;
            vec d[N];
            load_row<N>(row >= 0 && row < height ? image + row * width * BLOCK : nullptr, 2 * OUT * x - 2, width, d);
            filter_and_split<OUT>(d, c.taps, half[i]);
        }
        for (int px = 0; px < AXIS; px++) {
            vec d[N], out[AXIS];
            for (int i = 0; i < N; i++) d[i] = half[i][px];
            filter_and_split<OUT>(d, c.taps, out);
            for (int py = 0; py < AXIS; py++) store(to[py * AXIS + px] + t * BLOCK + lane, out[py]);
        }
    }
};

// One axis of a tile's products to its outputs; resampled, those of the outer taps and of the middle one add up.
template <int OUT, bool IS_RESAMPLED>
INLINE void combine(const vec* m, vec* out) {
    transform_output<OUT, IS_RESAMPLED>(m, out);
    if constexpr (IS_RESAMPLED)
        for (int j = 0; j < OUT; j++) out[j] += m[OUT + 1 + j];
}

template <int OUT, bool IS_RESAMPLED>
INLINE void read_products(const float* const* from, long t, int lane, vec out[OUT][OUT]) {
    constexpr int AXIS = Stack<OUT, IS_RESAMPLED>::AXIS;
    vec half[OUT][AXIS];
    for (int px = 0; px < AXIS; px++) {
        vec m[AXIS], column[OUT];
        for (int py = 0; py < AXIS; py++) m[py] = load(from[py * AXIS + px] + t * BLOCK + lane);
        combine<OUT, IS_RESAMPLED>(m, column);
        for (int i = 0; i < OUT; i++) half[i][px] = column[i];
    }
    for (int i = 0; i < OUT; i++) combine<OUT, IS_RESAMPLED>(half[i], out[i]);
}

constexpr long OUT_CHUNK = 4;  // blocks of outputs between product and epilogue, so that these stay in the cache

// One range of tiles through blocks [from, to) of the outputs.
template <class Input, class Output>
void convolve_tiles(const Convolution& c, const TileRange& range, long from, long to, Output& output) {
    constexpr int OUT = Input::SIZE;
    using Tiles = Stack<OUT, Input::IS_RESAMPLED>;
    const Tiles stack(1, range.last - range.first);
    float* a = scratch.reserve(stack.size(c.in_blocks) + stack.size(OUT_CHUNK));
    float* m = a + stack.size(c.in_blocks);
    float* place[Tiles::POINTS];
    for (long block = 0; block < c.in_blocks; block++) {
        stack.places(a, Tiles::AXIS, c.in_blocks, block, 0, place);
        TileRange::each(range, [&](long t, long sample, long y, long x) {
            for (int lane = 0; lane < BLOCK; lane += VEC_LANES) Input::read(c, sample, block, lane, y, x, place, t);
        });
    }
    for (long start = from; start < to; start += OUT_CHUNK) {
        const long end = start + OUT_CHUNK < to ? start + OUT_CHUNK : to;
        stack.multiply_all(c, a, m, start, end);
        for (long block = start; block < end; block++) {
            stack.places(m, Tiles::AXIS, end - start, block - start, 0, place);
            TileRange::each(range, [&](long t, long sample, long y, long x) {
                for (int lane = 0; lane < BLOCK; lane += VEC_LANES) {
                    vec tile[OUT][OUT];
                    read_products<OUT, Input::IS_RESAMPLED>(place, t, lane, tile);
                    output.write(c, sample, block, lane, y, x, tile);
                }
            });
        }
    }
}

// Shares a convolution out to threads: by tiles, and by output channels where the tiles are few.
template <class Input, class MakeOutput>
void convolve(const Convolution& c, Threads threads, MakeOutput make_output) {
    const long tiles_y = c.height / Input::SIZE, tiles_x = c.width / Input::SIZE, tiles = c.num * tiles_y * tiles_x;
    const long size = Input::IS_RESAMPLED ? 32 : 64;  // few enough for the cache, enough for a pass over the weights
    const long ranges = (tiles + size - 1) / size;
    long parts = ranges < threads.num ? (threads.num + ranges - 1) / ranges : 1;
    if (parts > c.out_blocks) parts = c.out_blocks;
    share_out(threads, ranges * parts, [&](long slot, long i) {
        const long r = i / parts, part = i % parts;
        const TileRange range{tiles * r / ranges, tiles * (r + 1) / ranges, tiles_y, tiles_x};
        auto output = make_output(slot);
        convolve_tiles<Input>(c, range, c.out_blocks * part / parts, c.out_blocks * (part + 1) / parts, output);
    });
}

struct ForwardOutput {
    const Activation& act;
    float* y;

    template <int OUT>
    inline __attribute__((always_inline)) void write(const Convolution& c, long sample, long block, int lane, long ty,
                                                     long tx, const vec (&tile)[OUT][OUT]) {
        const long plane = sample * c.out_blocks + block;
        const vec demod = load(act.demod + plane * BLOCK + lane), bias = load(act.bias + block * BLOCK + lane);
        for (int i = 0; i < OUT; i++) {
            const long pixel = (OUT * ty + i) * c.width + OUT * tx;
            const float* noise = act.noise + sample * act.noise_step + pixel;
            float* to = y + (plane * c.height * c.width + pixel) * BLOCK + lane;
            for (int j = 0; j < OUT; j++)
                store(to + j * BLOCK, activate(tile[i][j], demod, bias, noise[j], act.slope, act.limit));
        }
    }
};

struct BackwardOutput {
    const Tail& tail;
    float* sums;

    template <int OUT>
    inline __attribute__((always_inline)) void write(const Convolution& c, long sample, long block, int lane, long ty,
                                                     long tx, const vec (&tile)[OUT][OUT]) {
        const long pixels = c.height * c.width;
        TailLanes lanes = TailLanes::begin(tail, c.out_blocks * BLOCK, pixels, sample, block * BLOCK + lane);
        for (int i = 0; i < OUT; i++) {
            const long pixel = (OUT * ty + i) * c.width + OUT * tx;
            const long at = ((sample * c.out_blocks + block) * pixels + pixel) * BLOCK + lane;
            for (int j = 0; j < OUT; j++)
                store(tail.grad + at + j * BLOCK, lanes.step(tile[i][j], load(tail.y + at + j * BLOCK), pixel + j));
        }
        lanes.end(sums, c.num);
    }
};

void conv_forward(const Convolution& c, const Activation& act, float* y, Threads threads) {
    const auto output = [&](long) { return ForwardOutput{act, y}; };
    c.tile == 2 ? convolve<SameSizeInput<2>>(c, threads, output) : convolve<SameSizeInput<4>>(c, threads, output);
}

void conv_backward(const Convolution& c, const Tail& tail, Threads threads) {
    const auto output = [&](long slot) { return BackwardOutput{tail, tail.sums_of(slot, c.num, c.out_blocks)}; };
    c.tile == 2 ? convolve<SameSizeInput<2>>(c, threads, output) : convolve<SameSizeInput<4>>(c, threads, output);
}

void up_backward(const Convolution& c, const Tail& tail, Threads threads) {
    const auto output = [&](long slot) { return BackwardOutput{tail, tail.sums_of(slot, c.num, c.out_blocks)}; };
    c.tile == 2 ? convolve<DoubleSizeInput<2>>(c, threads, output) : convolve<DoubleSizeInput<4>>(c, threads, output);
}

}  // namespace

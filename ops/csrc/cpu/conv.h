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

// What a three-tap convolution sees of a tile: 6x6 pixels from (4y - 1, 4x - 1) on, scaled by the styles.
struct SameSizeInput {
    using Taps = ThreeTaps;
    static constexpr int AXIS = 6;

    INLINE void read(const Convolution& c, long sample, long block, int lane, long y, long x, float* const* to, long t) {
        const float* image = c.x + (sample * c.in_blocks + block) * c.height * c.width * BLOCK + lane;
        const vec style = c.style ? load(c.style + (sample * c.in_blocks + block) * BLOCK + lane) : splat(1);
        vec half[6][6];
        for (int i = 0; i < 6; i++) {
            const long row = 4 * y - 1 + i;
            vec d[6];
            load_row<6>(row >= 0 && row < c.height ? image + row * c.width * BLOCK : nullptr, 4 * x - 1, c.width, d);
            for (int j = 0; j < 6; j++) d[j] *= style;
            transform_input<ThreeTaps>(d, half[i]);
        }
        for (int px = 0; px < 6; px++) {
            vec d[6], out[6];
            for (int i = 0; i < 6; i++) d[i] = half[i][px];
            transform_input<ThreeTaps>(d, out);
            for (int py = 0; py < 6; py++) store(to[py * 6 + px] + t * BLOCK + lane, out[py]);
        }
    }
};

// One axis of the gradient of the resampling filter and of the stride-2 convolution before it: 12 values, of the large
// image from 8t - 2 on, give 9 of the unfiltered one (its gradient at 8t..8t+8); the even ones meet two taps, the odd
// ones a single tap.
INLINE void filter_and_split(const vec* d, const float* taps, vec* out) {
    vec even[5], odd[4];
    for (int j = 0; j < 9; j++) {
        const vec v = taps[0] * d[j + 3] + taps[1] * d[j + 2] + taps[2] * d[j + 1] + taps[3] * d[j];
        if (j % 2 == 0)
            even[j / 2] = v;
        else
            odd[j / 2] = v;
    }
    transform_input<TwoTaps>(even, out);
    for (int j = 0; j < 4; j++) out[5 + j] = odd[j];
}

// The gradient of an up-convolution's result, twice the size of the tiles' image.
struct DoubleSizeInput {
    using Taps = TwoTaps;
    static constexpr int AXIS = 9;

    INLINE void read(const Convolution& c, long sample, long block, int lane, long y, long x, float* const* to, long t) {
        const long height = 2 * c.height, width = 2 * c.width;
        const float* image = c.x + (sample * c.in_blocks + block) * height * width * BLOCK + lane;
        vec half[12][9];
        for (int i = 0; i < 12; i++) {
            const long row = 8 * y - 2 + i;
            vec d[12];
            load_row<12>(row >= 0 && row < height ? image + row * width * BLOCK : nullptr, 8 * x - 2, width, d);
            filter_and_split(d, c.taps, half[i]);
        }
        for (int px = 0; px < 9; px++) {
            vec d[12], out[9];
            for (int i = 0; i < 12; i++) d[i] = half[i][px];
            filter_and_split(d, c.taps, out);
            for (int py = 0; py < 9; py++) store(to[py * 9 + px] + t * BLOCK + lane, out[py]);
        }
    }
};

// One axis of a tile's products to its four outputs; with 9 points those of the two taps and the single tap add up.
template <class Input>
INLINE void combine(const vec* m, vec* out) {
    transform_output<typename Input::Taps>(m, out);
    if constexpr (Input::AXIS == 9)
        for (int j = 0; j < 4; j++) out[j] += m[5 + j];
}

template <class Input>
INLINE void read_products(const float* const* from, long t, int lane, vec out[4][4]) {
    constexpr int AXIS = Input::AXIS;
    vec half[4][AXIS];
    for (int px = 0; px < AXIS; px++) {
        vec m[AXIS], column[4];
        for (int py = 0; py < AXIS; py++) m[py] = load(from[py * AXIS + px] + t * BLOCK + lane);
        combine<Input>(m, column);
        for (int i = 0; i < 4; i++) half[i][px] = column[i];
    }
    for (int i = 0; i < 4; i++) combine<Input>(half[i], out[i]);
}

constexpr long OUT_CHUNK = 4;  // blocks of outputs between product and epilogue, so that these stay in the cache

// One range of tiles through blocks [from, to) of the outputs.
template <class Input, class Output>
static void convolve_tiles(const Convolution& c, const TileRange& range, long from, long to, Output& output) {
    constexpr int POINTS = Input::AXIS * Input::AXIS;
    const Stack stack(Input::AXIS, 1, range.last - range.first);
    float* a = scratch.reserve(stack.size(c.in_blocks) + stack.size(OUT_CHUNK));
    float* m = a + stack.size(c.in_blocks);
    float* place[POINTS];
    for (long block = 0; block < c.in_blocks; block++) {
        for (int p = 0; p < POINTS; p++)
            place[p] = stack.tile_row(a, p / Input::AXIS, p % Input::AXIS, c.in_blocks, block, 0);
        TileRange::each(range, [&](long t, long sample, long y, long x) {
            for (int lane = 0; lane < BLOCK; lane += VEC_LANES) Input::read(c, sample, block, lane, y, x, place, t);
        });
    }
    for (long start = from; start < to; start += OUT_CHUNK) {
        const long end = start + OUT_CHUNK < to ? start + OUT_CHUNK : to;
        multiply_classes(c, stack, a, m, start, end);
        for (long block = start; block < end; block++) {
            for (int p = 0; p < POINTS; p++)
                place[p] = stack.tile_row(m, p / Input::AXIS, p % Input::AXIS, end - start, block - start, 0);
            TileRange::each(range, [&](long t, long sample, long y, long x) {
                for (int lane = 0; lane < BLOCK; lane += VEC_LANES) {
                    vec tile[4][4];
                    read_products<Input>(place, t, lane, tile);
                    output.write(c, sample, block, lane, y, x, tile);
                }
            });
        }
    }
}

// Shares a convolution out to threads: by tiles, and by output channels where the tiles are few.
template <class Input, class MakeOutput>
static void convolve(const Convolution& c, Threads threads, MakeOutput make_output) {
    const long tiles_y = c.height / 4, tiles_x = c.width / 4, tiles = c.num * tiles_y * tiles_x;
    const long size = Input::AXIS == 6 ? 64 : 32;  // few enough for the cache, enough for a pass over the weights
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

    inline __attribute__((always_inline)) void write(const Convolution& c, long sample, long block, int lane, long ty,
                                                     long tx, const vec tile[4][4]) {
        const long plane = sample * c.out_blocks + block;
        const vec demod = load(act.demod + plane * BLOCK + lane), bias = load(act.bias + block * BLOCK + lane);
        for (int i = 0; i < 4; i++) {
            const long pixel = (4 * ty + i) * c.width + 4 * tx;
            const float* noise = act.noise + sample * act.noise_step + pixel;
            float* to = y + (plane * c.height * c.width + pixel) * BLOCK + lane;
            for (int j = 0; j < 4; j++)
                store(to + j * BLOCK, activate(tile[i][j], demod, bias, noise[j], act.slope, act.limit));
        }
    }
};

struct BackwardOutput {
    const Tail& tail;
    float* sums;

    inline __attribute__((always_inline)) void write(const Convolution& c, long sample, long block, int lane, long ty,
                                                     long tx, const vec tile[4][4]) {
        const long pixels = c.height * c.width;
        TailLanes lanes = TailLanes::begin(tail, c.out_blocks * BLOCK, pixels, sample, block * BLOCK + lane);
        for (int i = 0; i < 4; i++) {
            const long pixel = (4 * ty + i) * c.width + 4 * tx;
            const long at = ((sample * c.out_blocks + block) * pixels + pixel) * BLOCK + lane;
            for (int j = 0; j < 4; j++)
                store(tail.grad + at + j * BLOCK, lanes.step(tile[i][j], load(tail.y + at + j * BLOCK), pixel + j));
        }
        lanes.end(sums, c.num);
    }
};

static void conv_forward(const Convolution& c, const Activation& act, float* y, Threads threads) {
    convolve<SameSizeInput>(c, threads, [&](long) { return ForwardOutput{act, y}; });
}

template <class Input>
static void backward(const Convolution& c, const Tail& tail, Threads threads) {
    convolve<Input>(c, threads, [&](long slot) { return BackwardOutput{tail, tail.sums_of(slot, c.num, c.out_blocks)}; });
}
static void conv_backward(const Convolution& c, const Tail& tail, Threads t) { backward<SameSizeInput>(c, tail, t); }
static void up_backward(const Convolution& c, const Tail& tail, Threads t) { backward<DoubleSizeInput>(c, tail, t); }

}  // namespace

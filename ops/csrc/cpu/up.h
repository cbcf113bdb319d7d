// The up-convolution: transposed 3x3 convolution with stride 2, resampling filter and activation in one pass.
//
// Along one axis the unfiltered image u has 2H + 1 values: u[2i] = w2 x[i-1] + w0 x[i] and u[2i+1] = w1 x[i], so that
// a tile of four i takes 5 products for the two taps and 4 for the single one where the convolution itself takes 12.
// u[2H] = w2 x[H-1] lies in one more tile, of which point 0 alone, that sees the first tap only, is not zero.
// Then y[n] = sum_k taps[k] u[n - 1 + k], with zeros around u.
#pragma once
#include "tail.h"
#include "tiles.h"
#include "winograd.h"

namespace {

// One axis: 5 pixels from 4t - 1 on to 9 points.
INLINE void split(const vec* d, vec* out) {
    transform_input<TwoTaps>(d, out);
    for (int j = 0; j < 4; j++) out[5 + j] = d[1 + j];
}

// One axis: 9 products to the 8 values from u[8t] on.
INLINE void interleave(const vec* m, vec* out) {
    vec even[4];
    transform_output<TwoTaps>(m, even);
    for (int j = 0; j < 4; j++) out[2 * j] = even[j], out[2 * j + 1] = m[5 + j];
}

// Tile (ty, tx) of an image, to the first num_y and num_x points of the axes.
INLINE void read_up_tile(const Convolution& c, const float* image, vec style, long ty, long tx, int num_y, int num_x,
                         float* const* to) {
    vec half[5][9];
    for (int i = 0; i < 5; i++) {
        const long row = 4 * ty - 1 + i;
        vec d[5];
        load_row<5>(row >= 0 && row < c.height ? image + row * c.width * BLOCK : nullptr, 4 * tx - 1, c.width, d);
        for (int j = 0; j < 5; j++) d[j] *= style;
        split(d, half[i]);
    }
    for (int px = 0; px < num_x; px++) {
        vec d[5], out[9];
        for (int i = 0; i < 5; i++) d[i] = half[i][px];
        split(d, out);
        for (int py = 0; py < num_y; py++) store(to[py * 9 + px], out[py]);
    }
}

// Products of a tile to its part of u: 8x8 values, or the first row or column of the tiles beyond the end.
INLINE void write_up_tile(const float* const* from, int num_y, int num_x, float* u, long row_size) {
    vec half[8][9];
    for (int px = 0; px < num_x; px++) {
        vec m[9], column[8];
        for (int py = 0; py < num_y; py++) m[py] = load(from[py * 9 + px]);
        if (num_y == 9)
            interleave(m, column);
        else
            column[0] = m[0];
        for (int i = 0; i < (num_y == 9 ? 8 : 1); i++) half[i][px] = column[i];
    }
    for (int i = 0; i < (num_y == 9 ? 8 : 1); i++) {
        vec row[8];
        if (num_x == 9)
            interleave(half[i], row);
        else
            row[0] = half[i][0];
        for (int j = 0; j < (num_x == 9 ? 8 : 1); j++) store(u + i * row_size + j * BLOCK, row[j]);
    }
}

// Row n of the result from four rows of u, each with a zero column before and after.
static void filter_row(const Convolution& c, const Activation& act, long sample, long block, int lane, long n,
                       const float* u, long row_size, float* y) {
    const long channel = block * BLOCK + lane, width = 2 * c.width;
    const vec demod = load(act.demod + sample * c.out_blocks * BLOCK + channel), bias = load(act.bias + channel);
    const float* noise = act.noise + sample * act.noise_step + n * width;
    const float t0 = c.taps[0], t1 = c.taps[1], t2 = c.taps[2], t3 = c.taps[3];
    auto column = [&](long x) {
        const float* at = u + x * BLOCK;
        return t0 * load(at) + t1 * load(at + row_size) + t2 * load(at + 2 * row_size) + t3 * load(at + 3 * row_size);
    };
    vec a = column(0), b = column(1), d = column(2);
    for (long x = 0; x < width; x++) {
        const vec e = column(x + 3);
        const vec conv = t0 * a + t1 * b + t2 * d + t3 * e;
        store(y + x * BLOCK, activate(conv, demod, bias, noise[x], act.slope, act.limit));
        a = b, b = d, d = e;
    }
}

// A rectangle of tiles.
struct TileGrid {
    long first_y, last_y, first_x, last_x;
    bool is_bottom, is_right;  // with the tiles beyond the end

    Stack stack() const { return Stack(9, last_y - first_y, last_x - first_x, is_bottom, is_right); }
};

// One sample's output blocks [from, to), worked on some rows of tiles at a time, and of these some tiles at a time.
struct UpTask {
    const Convolution& c;
    const Activation& act;
    float* y;
    const long sample, from, to, tile_rows, tile_columns;

    long tiles_x() const { return c.width / 4; }
    long row_size() const { return (2 * c.width + 3) * BLOCK; }
    // Rows of u at hand: three of the tiles above, those of the tiles and, at the bottom, u[2H] and a row of zeros.
    long u_size() const { return (3 + 8 * tile_rows + 2) * row_size(); }

    void run(long first, long last) const {
        const Stack largest = TileGrid{0, tile_rows, 0, tile_columns, true, true}.stack();
        const long size = largest.size(c.in_blocks) + largest.size(OUT_CHUNK), u_total = (to - from) * u_size();
        float* a = scratch.reserve(size + u_total);
        float* u = a + size;
        memset(u, 0, u_total * sizeof(float));
        if (first > 0) strip(a, u, first - 1, first, false);  // for the three rows of u above
        for (long row = first; row < last; row += tile_rows)
            strip(a, u, row, row + tile_rows < last ? row + tile_rows : last, true);
    }

    void strip(float* a, float* u, long first, long last, bool is_wanted) const {
        const bool is_bottom = last == c.height / 4;
        for (long x = 0; x < tiles_x(); x += tile_columns) {
            const bool is_right = x + tile_columns >= tiles_x();
            convolve(TileGrid{first, last, x, is_right ? tiles_x() : x + tile_columns, is_bottom, is_right}, a, u);
        }
        for (long block = from; block < to; block++) {
            float* rows = u + (block - from) * u_size();
            const long end = 8 * (last - first);
            if (is_bottom) memset(rows + (3 + end + 1) * row_size(), 0, row_size() * sizeof(float));
            if (is_wanted) filter(rows, block, first, last, is_bottom);
            memmove(rows, rows + end * row_size(), 3 * row_size() * sizeof(float));
        }
    }

    void convolve(const TileGrid& grid, float* a, float* u) const {
        const Stack stack = grid.stack();
        float* m = a + stack.size(c.in_blocks);
        float* place[81];
        for (long block = 0; block < c.in_blocks; block++)
            for (long ty = grid.first_y; ty < grid.last_y + grid.is_bottom; ty++)
                read(grid, stack, a, block, ty, place);
        for (long start = from; start < to; start += OUT_CHUNK) {
            const long end = start + OUT_CHUNK < to ? start + OUT_CHUNK : to;
            multiply_classes(c, stack, a, m, start, end);
            for (long block = start; block < end; block++)
                for (long ty = grid.first_y; ty < grid.last_y + grid.is_bottom; ty++)
                    write(grid, stack, m, end - start, block - start, ty, place, u + (block - from) * u_size());
        }
    }

    void read(const TileGrid& grid, const Stack& stack, float* a, long block, long ty, float** place) const {
        const int num_y = ty < grid.last_y ? 9 : 1;
        const long plane = sample * c.in_blocks + block;
        for (int lane = 0; lane < BLOCK; lane += VEC_LANES) {
            const float* image = c.x + plane * c.height * c.width * BLOCK + lane;
            const vec style = load(c.style + plane * BLOCK + lane);
            for (int p = 0; p < num_y * 9; p++)
                place[p] = stack.tile_row(a, p / 9, p % 9, c.in_blocks, block, ty - grid.first_y) + lane;
            for (long tx = grid.first_x; tx < grid.last_x + grid.is_right; tx++) {
                if (num_y == 9 && tx < grid.last_x)
                    read_up_tile(c, image, style, ty, tx, 9, 9, place);
                else
                    read_up_tile(c, image, style, ty, tx, num_y, tx < grid.last_x ? 9 : 1, place);
                for (int p = 0; p < num_y * 9; p++) place[p] += BLOCK;
            }
        }
    }

    void write(const TileGrid& grid, const Stack& stack, float* m, long blocks, long block, long ty, float** place,
               float* u) const {
        const int num_y = ty < grid.last_y ? 9 : 1;
        for (int lane = 0; lane < BLOCK; lane += VEC_LANES) {
            for (int p = 0; p < num_y * 9; p++)
                place[p] = stack.tile_row(m, p / 9, p % 9, blocks, block, ty - grid.first_y) + lane;
            float* to = u + (3 + 8 * (ty - grid.first_y)) * row_size() + (1 + 8 * grid.first_x) * BLOCK + lane;
            for (long tx = grid.first_x; tx < grid.last_x + grid.is_right; tx++, to += 8 * BLOCK) {
                if (num_y == 9 && tx < grid.last_x)
                    write_up_tile(place, 9, 9, to, row_size());
                else
                    write_up_tile(place, num_y, tx < grid.last_x ? 9 : 1, to, row_size());
                for (int p = 0; p < num_y * 9; p++) place[p] += BLOCK;
            }
        }
    }

    void filter(const float* u, long block, long first, long last, bool is_bottom) const {
        const long width = 2 * c.width, height = 2 * c.height;
        float* plane = y + (sample * c.out_blocks + block) * height * width * BLOCK;
        for (long n = first > 0 ? 8 * first - 2 : 0; n < (is_bottom ? height : 8 * last - 2); n++)
            for (int lane = 0; lane < BLOCK; lane += VEC_LANES)
                filter_row(c, act, sample, block, lane, n, u + (3 + n - 1 - 8 * first) * row_size() + lane, row_size(),
                           plane + n * width * BLOCK + lane);
    }
};

// Shared out by samples, then by output channels, then by rows, of which a little is done twice.
static void up_forward(const Convolution& c, const Activation& act, float* y, Threads threads) {
    const long tiles_y = c.height / 4, tiles_x = c.width / 4;
    long wanted = threads.num;  // parts of a sample, so that all threads have the same number of them
    while (wanted > 1 && c.num * (wanted - 1) % threads.num == 0) wanted--;
    const long by_channel = wanted < c.out_blocks / 2 ? wanted : c.out_blocks / 2 > 0 ? c.out_blocks / 2 : 1;
    long by_row = (wanted + by_channel - 1) / by_channel;
    if (by_row > tiles_y) by_row = tiles_y;
    const long tiles = c.in_blocks < 32 ? 16 : 32;  // as many as fit in the cache; but they share a pass over the weights
    const long columns = tiles < tiles_x ? tiles : tiles_x, rows = tiles / columns < tiles_y ? tiles / columns : tiles_y;
    share_out(threads, c.num * by_channel * by_row, [&](long, long i) {
        const long sample = i / (by_channel * by_row), part = i / by_row % by_channel, row = i % by_row;
        const UpTask task{c, act, y, sample, c.out_blocks * part / by_channel, c.out_blocks * (part + 1) / by_channel,
                          rows, columns};
        task.run(tiles_y * row / by_row, tiles_y * (row + 1) / by_row);
    });
}

}  // namespace

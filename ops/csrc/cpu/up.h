// The up-convolution: transposed 3x3 convolution with stride 2, resampling filter and activation in one pass.
//
// Along one axis the unfiltered image u has 2H + 1 values: u[2i] = w2 x[i-1] + w0 x[i] and u[2i+1] = w1 x[i], so that
// a tile of OUT values i takes OUT + 1 products for the outer taps and OUT for the middle one where the convolution
// itself takes 3 OUT.
// u[2H] = w2 x[H-1] lies in one more tile, of which point 0 alone, that sees the first tap only, is not zero.
// Then y[n] = sum_k taps[k] u[n - 1 + k], with zeros around u.
#pragma once
#include "tail.h"
#include "tiles.h"
#include "winograd.h"

namespace {

// One axis: OUT + 1 pixels from OUT t - 1 on to 2 OUT + 1 points.
template <int OUT>
INLINE void split(const vec* d, vec* out) {
    transform_input<OUT, true>(d, out);
    for (int j = 0; j < OUT; j++) out[OUT + 1 + j] = d[1 + j];
}

// One axis: 2 OUT + 1 products to the 2 OUT values from u[2 OUT t] on.
template <int OUT>
INLINE void interleave(const vec* m, vec* out) {
    vec even[OUT];
    transform_output<OUT, true>(m, even);
    for (int j = 0; j < OUT; j++) out[2 * j] = even[j], out[2 * j + 1] = m[OUT + 1 + j];
}

// Tile (ty, tx) of an image, to the first num_y and num_x points of the axes.
template <int OUT>
INLINE void read_up_tile(const Convolution& c, const float* image, vec style, long ty, long tx, int num_y, int num_x,
                         float* const* to) {
    constexpr int N = OUT + 1, AXIS = 2 * OUT + 1;
    vec half[N][AXIS];
    for (int i = 0; i < N; i++) {
        const long row = OUT * ty - 1 + i;
        vec d[N];
        load_row<N>(row >= 0 && row < c.height ? image + row * c.width * BLOCK : nullptr, OUT * tx - 1, c.width, d);
        for (int j = 0; j < N; j++) d[j] *= style;
        split<OUT>(d, half[i]);
    }
    for (int px = 0; px < num_x; px++) {
        vec d[N], out[AXIS];
        for (int i = 0; i < N; i++) d[i] = half[i][px];
        split<OUT>(d, out);
        for (int py = 0; py < num_y; py++) store(to[py * AXIS + px], out[py]);
    }
}

// Products of a tile to its part of u: a square of 2 OUT, or the first row or column of the tiles beyond the end.
template <int OUT>
INLINE void write_up_tile(const float* const* from, bool is_last_y, bool is_last_x, float* u, long row_size) {
    constexpr int AXIS = 2 * OUT + 1;
    const int points_y = is_last_y ? 1 : AXIS, points_x = is_last_x ? 1 : AXIS, rows = is_last_y ? 1 : 2 * OUT;
    vec half[2 * OUT][AXIS];
    for (int px = 0; px < points_x; px++) {
        vec m[AXIS], column[2 * OUT];
        for (int py = 0; py < points_y; py++) m[py] = load(from[py * AXIS + px]);
        if (is_last_y)
            column[0] = m[0];
        else
            interleave<OUT>(m, column);
        for (int i = 0; i < rows; i++) half[i][px] = column[i];
    }
    for (int i = 0; i < rows; i++) {
        vec row[2 * OUT];
        if (is_last_x)
            row[0] = half[i][0];
        else
            interleave<OUT>(half[i], row);
        for (int j = 0; j < (is_last_x ? 1 : 2 * OUT); j++) store(u + i * row_size + j * BLOCK, row[j]);
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

    template <int OUT>
    Stack<OUT, true> stack() const {
        return Stack<OUT, true>(last_y - first_y, last_x - first_x, is_bottom, is_right);
    }
};

// One sample's output blocks [from, to), worked on some rows of tiles at a time, and of these some tiles at a time.
template <int OUT>
struct UpTask {
    static constexpr int AXIS = 2 * OUT + 1, ROWS = 2 * OUT;  // ROWS: of u in a row of tiles
    using Tiles = Stack<OUT, true>;

    const Convolution& c;
    const Activation& act;
    float* y;
    const long sample, from, to, tile_rows, tile_columns;

    long tiles_x() const { return c.width / OUT; }
    long row_size() const { return (2 * c.width + 3) * BLOCK; }
    // Rows of u at hand: three of the tiles above, those of the tiles and, at the bottom, u[2H] and a row of zeros.
    long u_size() const { return (3 + ROWS * tile_rows + 2) * row_size(); }

    void run(long first, long last) const {
        const Tiles largest = TileGrid{0, tile_rows, 0, tile_columns, true, true}.stack<OUT>();
        const long size = largest.size(c.in_blocks) + largest.size(OUT_CHUNK), u_total = (to - from) * u_size();
        float* a = scratch.reserve(size + u_total);
        float* u = a + size;
        memset(u, 0, u_total * sizeof(float));
        if (first > 0) strip(a, u, first - 1, first, false);  // for the three rows of u above
        for (long row = first; row < last; row += tile_rows)
            strip(a, u, row, row + tile_rows < last ? row + tile_rows : last, true);
    }

    void strip(float* a, float* u, long first, long last, bool is_wanted) const {
        const bool is_bottom = last == c.height / OUT;
        for (long x = 0; x < tiles_x(); x += tile_columns) {
            const bool is_right = x + tile_columns >= tiles_x();
            convolve(TileGrid{first, last, x, is_right ? tiles_x() : x + tile_columns, is_bottom, is_right}, a, u);
        }
        for (long block = from; block < to; block++) {
            float* rows = u + (block - from) * u_size();
            const long end = ROWS * (last - first);
            if (is_bottom) memset(rows + (3 + end + 1) * row_size(), 0, row_size() * sizeof(float));
            if (is_wanted) filter(rows, block, first, last, is_bottom);
            memmove(rows, rows + end * row_size(), 3 * row_size() * sizeof(float));
        }
    }

    void convolve(const TileGrid& grid, float* a, float* u) const {
        const Tiles stack = grid.stack<OUT>();
        float* m = a + stack.size(c.in_blocks);
        float* place[Tiles::POINTS];
        for (long block = 0; block < c.in_blocks; block++)
            for (long ty = grid.first_y; ty < grid.last_y + grid.is_bottom; ty++) {
                stack.places(a, ty < grid.last_y ? AXIS : 1, c.in_blocks, block, ty - grid.first_y, place);
                read(grid, block, ty, place);
            }
        for (long start = from; start < to; start += OUT_CHUNK) {
            const long end = start + OUT_CHUNK < to ? start + OUT_CHUNK : to;
            stack.multiply_all(c, a, m, start, end);
            for (long block = start; block < end; block++)
                for (long ty = grid.first_y; ty < grid.last_y + grid.is_bottom; ty++) {
                    stack.places(m, ty < grid.last_y ? AXIS : 1, end - start, block - start, ty - grid.first_y, place);
                    write(grid, ty, place, u + (block - from) * u_size());
                }
        }
    }

    // A row of tiles; `place`: where the first tile's points go, the last row's along y being one.
    void read(const TileGrid& grid, long block, long ty, float* const* place) const {
        const long plane = sample * c.in_blocks + block;
        const bool is_last_y = ty == grid.last_y;
        for (int lane = 0; lane < BLOCK; lane += VEC_LANES) {
            const float* image = c.x + plane * c.height * c.width * BLOCK + lane;
            const vec style = load(c.style + plane * BLOCK + lane);
            float* to[Tiles::POINTS];
            for (int p = 0; p < (is_last_y ? AXIS : Tiles::POINTS); p++) to[p] = place[p] + lane;
            for (long tx = grid.first_x; tx < grid.last_x + grid.is_right; tx++) {
                if (!is_last_y && tx < grid.last_x)
                    read_up_tile<OUT>(c, image, style, ty, tx, AXIS, AXIS, to);
                else
                    read_up_tile<OUT>(c, image, style, ty, tx, is_last_y ? 1 : AXIS, tx < grid.last_x ? AXIS : 1, to);
                for (int p = 0; p < (is_last_y ? AXIS : Tiles::POINTS); p++) to[p] += BLOCK;
            }
        }
    }

    void write(const TileGrid& grid, long ty, float* const* place, float* u) const {
        const bool is_last_y = ty == grid.last_y;
        for (int lane = 0; lane < BLOCK; lane += VEC_LANES) {
            const float* from[Tiles::POINTS];
            for (int p = 0; p < (is_last_y ? AXIS : Tiles::POINTS); p++) from[p] = place[p] + lane;
            float* to = u + (3 + ROWS * (ty - grid.first_y)) * row_size() + (1 + ROWS * grid.first_x) * BLOCK + lane;
            for (long tx = grid.first_x; tx < grid.last_x + grid.is_right; tx++, to += ROWS * BLOCK) {
                if (!is_last_y && tx < grid.last_x)
                    write_up_tile<OUT>(from, false, false, to, row_size());
                else
                    write_up_tile<OUT>(from, is_last_y, tx == grid.last_x, to, row_size());
                for (int p = 0; p < (is_last_y ? AXIS : Tiles::POINTS); p++) from[p] += BLOCK;
            }
        }
    }

    void filter(const float* u, long block, long first, long last, bool is_bottom) const {
        const long width = 2 * c.width, height = 2 * c.height, end = is_bottom ? height : ROWS * last - 2;
        float* plane = y + (sample * c.out_blocks + block) * height * width * BLOCK;
        for (long n = first > 0 ? ROWS * first - 2 : 0; n < end; n++)
            for (int lane = 0; lane < BLOCK; lane += VEC_LANES)
                filter_row(c, act, sample, block, lane, n, u + (3 + n - 1 - ROWS * first) * row_size() + lane, row_size(),
                           plane + n * width * BLOCK + lane);
    }
};

// Shared out by samples, then by output channels, then by rows, of which a little is done twice.
template <int OUT>
void up_convolve(const Convolution& c, const Activation& act, float* y, Threads threads) {
    const long tiles_y = c.height / OUT, tiles_x = c.width / OUT;
    long wanted = threads.num;  // parts of a sample, so that all threads have the same number of them
    while (wanted > 1 && c.num * (wanted - 1) % threads.num == 0) wanted--;
    const long by_channel = wanted < c.out_blocks / 2 ? wanted : c.out_blocks / 2 > 0 ? c.out_blocks / 2 : 1;
    long by_row = (wanted + by_channel - 1) / by_channel;
    if (by_row > tiles_y) by_row = tiles_y;
    const long tiles = c.in_blocks < 32 ? 16 : 32;  // as many as fit in the cache; but they share a pass over the weights
    const long columns = tiles < tiles_x ? tiles : tiles_x, rows = tiles / columns < tiles_y ? tiles / columns : tiles_y;
    share_out(threads, c.num * by_channel * by_row, [&](long, long i) {
        const long sample = i / (by_channel * by_row), part = i / by_row % by_channel, row = i % by_row;
        const UpTask<OUT> task{c, act, y, sample, c.out_blocks * part / by_channel,
                               c.out_blocks * (part + 1) / by_channel, rows, columns};
        task.run(tiles_y * row / by_row, tiles_y * (row + 1) / by_row);
    });
}

void up_forward(const Convolution& c, const Activation& act, float* y, Threads threads) {
    c.tile == 2 ? up_convolve<2>(c, act, y, threads) : up_convolve<4>(c, act, y, threads);
}

}  // namespace

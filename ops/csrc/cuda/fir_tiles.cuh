// The filters of StyleGAN2: separable with four taps, which enlarge twice, shrink twice or do neither.
//
// A block brings a tile of the input into shared memory, every thread asking for all its packs before it stores the
// first. Rows are filtered first, then columns, so that a result takes 4 + 4 taps and not 16. What is outside the image
// is zero. With channels last a thread has a pack of channels and walks down a strip of its column, the last four
// filtered rows in registers. Planes that are contiguous go through shared memory a second time between the passes, as
// there neighbours in a pack are neighbours in the image.
#pragma once
#include "launch.cuh"

namespace {

constexpr int TAPS = 4;

// How many inputs that many neighbouring outputs meet, wherever they begin. Those of a column begin, where UP is 2, at an
// even place of the zero-inserted image, so that every output's taps are known to the compiler.
template <int UP, int DOWN>
__host__ __device__ constexpr int inputs_of(int outputs) {
    return UP == 2 ? outputs / 2 + 2 : (outputs - 1) * DOWN + TAPS;
}

// The first input that an output meets; the others follow it.
template <int UP, int DOWN>
__device__ inline int first_input(const Axis& axis, int output) {
    const int start = output * DOWN - axis.pad;
    return UP == 2 ? (start + 1) >> 1 : start;
}

// By how much tiles of an axis begin before the image.
template <int UP>
inline __host__ __device__ int lead_of(const Axis& axis) {
    return UP == 2 ? axis.pad & 1 : 0;
}

// The taps of an output in a row, on first_input and those after it.
template <int UP, int DOWN>
__device__ inline void row_taps(const Upfirdn& p, int output, float (&taps)[TAPS / UP]) {
    const int odd = UP == 2 ? (output * DOWN - p.x_axis.pad) & 1 : 0;
    for (int k = 0; k < TAPS / UP; k++) taps[k] = __ldg(p.filter + odd + k * UP);
}

// Filters the columns of a strip of ROWS outputs: read(r, row) gives filtered row r, write(s, row) takes output s.
template <int UP, int DOWN, int ROWS, int N, class Read, class Write>
__device__ inline void filter_columns(const float* filter, Read read, Write write) {
    float taps[TAPS], rows[TAPS][N];
    for (int k = 0; k < TAPS; k++) taps[k] = __ldg(filter + k);
#pragma unroll
    for (int r = 0; r < inputs_of<UP, DOWN>(ROWS); r++) {
        read(r, rows[r % TAPS]);
#pragma unroll
        for (int s = 0; s < ROWS; s++) {
            const int first = UP == 2 ? (s + 1) / 2 : s * DOWN;
            if (first + TAPS / UP - 1 != r) continue;
            float sum[N] = {};
#pragma unroll
            for (int k = 0; k < TAPS / UP; k++)
                for (int n = 0; n < N; n++) sum[n] += taps[(UP == 2 ? s % 2 : 0) + k * UP] * rows[(first + k) % TAPS][n];
            write(s, sum);
        }
    }
}

template <int UP, int DOWN>
struct ColumnTile {  // of outputs, channels last: PACKS of channels, WIDTH columns, STRIPS of ROWS
    static constexpr int PACKS = 4, STRIPS = DOWN == 2 ? 4 : 2, ROWS = DOWN == 2 ? 2 : 8;
    static constexpr int WIDTH = BLOCK_SIZE / (PACKS * STRIPS), HEIGHT = STRIPS * ROWS;
    static constexpr int IN_WIDTH = inputs_of<UP, DOWN>(WIDTH), IN_HEIGHT = inputs_of<UP, DOWN>(HEIGHT);
    static constexpr int SIZE = IN_WIDTH * IN_HEIGHT * PACKS, LOADS = (SIZE + BLOCK_SIZE - 1) / BLOCK_SIZE;

    // Where a column of inputs lies: every other one comes first where outputs are two inputs apart, so that threads side
    // by side read side by side.
    static __device__ constexpr int place_of(int column) {
        return DOWN == 2 ? column % 2 * (IN_WIDTH / 2) + column / 2 : column;
    }
};

template <class T, int N, int UP, int DOWN>
__global__ void __launch_bounds__(BLOCK_SIZE, 3) columns_kernel(Upfirdn p) {
    using Tile = ColumnTile<UP, DOWN>;
    using Values = Pack<T, N>;
    constexpr int PACKS = Tile::PACKS;
    __shared__ Raw<Values> tile[Tile::SIZE];
    const Axis ya = p.y_axis, xa = p.x_axis;
    const long long packs = p.channels / N;
    const unsigned groups = unsigned(ceil_div(packs, PACKS)), tile_x = blockIdx.x / groups;
    const int lane = threadIdx.x % PACKS, column = threadIdx.x / PACKS % Tile::WIDTH;
    const int strip = threadIdx.x / (PACKS * Tile::WIDTH), out_x = int(tile_x) * Tile::WIDTH + column;
    const long long pack = (long long)(blockIdx.x - tile_x * groups) * PACKS + lane;
    const int in_x = first_input<UP, DOWN>(xa, int(tile_x) * Tile::WIDTH);
    const int meets = first_input<UP, DOWN>(xa, out_x) - in_x;
    const bool is_inside = pack < packs && out_x < xa.out;
    float taps[TAPS / UP];
    row_taps<UP, DOWN>(p, out_x, taps);
    for (long long sample = blockIdx.z; sample < p.num; sample += gridDim.z) {
        const Values* x = (const Values*)p.x + sample * ya.in * xa.in * packs + pack;
        Values* y = (Values*)p.y + (sample * ya.out * xa.out + out_x) * packs + pack;
        for (long long top = (long long)blockIdx.y * Tile::HEIGHT - lead_of<UP>(ya); top < ya.out;
             top += (long long)gridDim.y * Tile::HEIGHT) {
            const int in_y = first_input<UP, DOWN>(ya, int(top));
            const int thread = unforeseen(threadIdx.x);  // else all loads' addresses wait in registers from tile to tile
            Raw<Values> asked[Tile::LOADS];
#pragma unroll
            for (int i = 0; i < Tile::LOADS; i++) {
                const int pixel = (thread + i * BLOCK_SIZE) / PACKS;
                const int iy = in_y + pixel / Tile::IN_WIDTH, ix = in_x + pixel % Tile::IN_WIDTH;
                const bool is_there = pixel < Tile::SIZE / PACKS && pack < packs && iy >= 0 && iy < ya.in && ix >= 0;
                asked[i] = {};
                if (is_there && ix < xa.in) asked[i] = load_once(x + ((long long)iy * xa.in + ix) * packs);
            }
#pragma unroll
            for (int i = 0; i < Tile::LOADS; i++) {
                const int pixel = (thread + i * BLOCK_SIZE) / PACKS, row = pixel / Tile::IN_WIDTH;
                const int place = row * Tile::IN_WIDTH + Tile::place_of(pixel % Tile::IN_WIDTH);
                if (pixel < Tile::SIZE / PACKS) tile[place * PACKS + lane] = asked[i];
            }
            __syncthreads();
            const auto read = [&](int r, float(&row)[N]) {
                const Raw<Values>* from = tile + (strip * Tile::ROWS * DOWN / UP + r) * Tile::IN_WIDTH * PACKS + lane;
                for (int n = 0; n < N; n++) row[n] = 0;
#pragma unroll
                for (int k = 0; k < TAPS / UP; k++) {
                    const Values v = unpacked<Values>(from[Tile::place_of(meets + k) * PACKS]);
                    for (int n = 0; n < N; n++) row[n] += taps[k] * to_float(v.value[n]);
                }
            };
            const auto write = [&](int s, const float(&row)[N]) {
                const int out_y = int(top) + strip * Tile::ROWS + s;
                if (out_y >= 0 && out_y < ya.out) y[(long long)out_y * xa.out * packs] = pack_of<T>(row);
            };
            if (is_inside) filter_columns<UP, DOWN, Tile::ROWS, N>(p.filter, read, write);
            __syncthreads();
        }
    }
}

template <class T, int UP, int DOWN>
struct PlaneTile {  // of outputs in a plane: WIDTH columns, STRIPS of ROWS; a thread has four neighbours of each row
    static constexpr int WIDTH = 64, QUADS = WIDTH / 4, STRIPS = BLOCK_SIZE / QUADS, ROWS = DOWN == 2 ? 1 : 4;
    static constexpr int HEIGHT = STRIPS * ROWS, IN_WIDTH = inputs_of<UP, DOWN>(WIDTH);
    static constexpr int IN_HEIGHT = inputs_of<UP, DOWN>(HEIGHT);
    // Packs that hold a row of inputs, in whatever place of a pack the first one is.
    static constexpr int WIDE = 16 / sizeof(T), PACKS = (IN_WIDTH + 2 * WIDE - 2) / WIDE;
    static constexpr int SIZE = IN_HEIGHT * PACKS, LOADS = (SIZE + BLOCK_SIZE - 1) / BLOCK_SIZE;
};

template <class T, int UP, int DOWN>
__global__ void __launch_bounds__(BLOCK_SIZE) planes_kernel(Upfirdn p) {
    using Tile = PlaneTile<T, UP, DOWN>;
    constexpr int WIDE = Tile::WIDE;
    using Values = Pack<T, WIDE>;
    using Quad = Pack<float, 4>;
    __shared__ Raw<Values> tile[Tile::SIZE];
    __shared__ Quad filtered[Tile::IN_HEIGHT * Tile::QUADS];
    const Axis ya = p.y_axis, xa = p.x_axis;
    const int left = int(blockIdx.x) * Tile::WIDTH, in_x = first_input<UP, DOWN>(xa, left);
    const int column = threadIdx.x % Tile::WIDTH, quad = threadIdx.x % Tile::QUADS, strip = threadIdx.x / Tile::QUADS;
    const int meets = first_input<UP, DOWN>(xa, left + column) - in_x, out_x = left + quad * 4;
    const bool can_pack = xa.out % 4 == 0 && (std::uintptr_t)p.y % sizeof(Pack<T, 4>) == 0;
    float taps[TAPS / UP];
    row_taps<UP, DOWN>(p, left + column, taps);
    for (long long plane = blockIdx.z; plane < p.num * p.channels; plane += gridDim.z) {
        const T* x = (const T*)p.x + plane * ya.in * xa.in;
        T* y = (T*)p.y + plane * ya.out * xa.out + out_x;
        for (long long top = (long long)blockIdx.y * Tile::HEIGHT - lead_of<UP>(ya); top < ya.out;
             top += (long long)gridDim.y * Tile::HEIGHT) {
            const int in_y = first_input<UP, DOWN>(ya, int(top)), thread = unforeseen(threadIdx.x);  // as above
            // How far into a pack of memory the tile's row r begins: rows of any length are read in packs.
            const unsigned start = unsigned((std::uintptr_t)x / sizeof(T)) + unsigned(in_y) * xa.in + in_x;
            const auto shift_of = [&](int r) { return int((start + unsigned(r) * xa.in) % WIDE); };
            Raw<Values> asked[Tile::LOADS];
#pragma unroll
            for (int i = 0; i < Tile::LOADS; i++) {
                const int item = thread + i * BLOCK_SIZE, r = item / Tile::PACKS, iy = in_y + r;
                const int ix = in_x - shift_of(r) + item % Tile::PACKS * WIDE;
                const T* from = x + (long long)iy * xa.in + ix;
                asked[i] = {};
                if (item >= Tile::SIZE || iy < 0 || iy >= ya.in) continue;
                if (ix >= 0 && ix + WIDE <= xa.in) {
                    asked[i] = load_once((const Values*)from);
                } else {
                    Values edge = {};
                    for (int n = 0; n < WIDE; n++)
                        if (ix + n >= 0 && ix + n < xa.in) edge.value[n] = from[n];
                    memcpy(&asked[i], &edge, sizeof(edge));
                }
            }
#pragma unroll
            for (int i = 0; i < Tile::LOADS; i++)
                if (thread + i * BLOCK_SIZE < Tile::SIZE) tile[thread + i * BLOCK_SIZE] = asked[i];
            __syncthreads();
            for (int r = threadIdx.x / Tile::WIDTH; r < Tile::IN_HEIGHT; r += BLOCK_SIZE / Tile::WIDTH) {
                const T* from = (const T*)(tile + r * Tile::PACKS) + shift_of(r) + meets;
                float sum = 0;
#pragma unroll
                for (int k = 0; k < TAPS / UP; k++) sum += taps[k] * to_float(from[k]);
                ((float*)filtered)[r * Tile::WIDTH + column] = sum;
            }
            __syncthreads();
            const auto read = [&](int r, float(&row)[4]) {
                const Quad values = filtered[(strip * Tile::ROWS * DOWN / UP + r) * Tile::QUADS + quad];
                for (int n = 0; n < 4; n++) row[n] = values.value[n];
            };
            const auto write = [&](int s, const float(&row)[4]) {
                const int out_y = int(top) + strip * Tile::ROWS + s;
                T* to = y + (long long)out_y * xa.out;
                if (out_y < 0 || out_y >= ya.out) return;
                if (can_pack)
                    store_at_once((Pack<T, 4>*)to, pack_of<T>(row));
                else
                    for (int n = 0; n < 4; n++)
                        if (out_x + n < xa.out) from_float(row[n], to[n]);
            };
            if (out_x < xa.out) filter_columns<UP, DOWN, Tile::ROWS, 4>(p.filter, read, write);
            __syncthreads();  // the next tile is stored where this one was
        }
    }
}

template <class T, int N, int UP, int DOWN>
void launch_tiles(const Upfirdn& p, cudaStream_t stream) {
    const long long height = p.y_axis.out + lead_of<UP>(p.y_axis), width = p.x_axis.out;
    if (p.is_channels_last) {
        using Tile = ColumnTile<UP, DOWN>;
        const long long x = ceil_div(width, Tile::WIDTH) * ceil_div(p.channels / N, Tile::PACKS);
        launch(stream, x, ceil_div(height, Tile::HEIGHT), p.num, BLOCK_SIZE, columns_kernel<T, N, UP, DOWN>, p);
    } else {
        using Tile = PlaneTile<T, UP, DOWN>;
        launch(stream, ceil_div(width, Tile::WIDTH), ceil_div(height, Tile::HEIGHT), p.num * p.channels, BLOCK_SIZE,
               planes_kernel<T, UP, DOWN>, p);
    }
}

}  // namespace

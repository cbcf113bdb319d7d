// Product of matrices in blocks of 16 columns: C[rows, N] = A[rows, K] B[K, N].
#pragma once
#include "vec.h"

namespace {

#if VEC_LANES == 16
constexpr int MAX_ROWS = 14, MAX_BLOCKS = 2;  // 28 of 32 registers accumulate
#elif VEC_LANES == 8
constexpr int MAX_ROWS = 6, MAX_BLOCKS = 1;  // 12 of 16
#else
constexpr int MAX_ROWS = 3, MAX_BLOCKS = 1;
#endif

// Where a matrix [rows, columns] lies: a[block][row][16], blocks `step` floats apart.
struct Blocked {
    float* data;
    long step;
};

// One tile of C in registers. `next` is memory the caller needs soon: its lines are asked for along the way.
template <int ROWS, int BLOCKS>
static void micro_kernel(long num_blocks, const float* a, long a_step, const float* b, long b_step, float* c,
                         long c_step, const float* next) {
    constexpr int PER_BLOCK = BLOCK / VEC_LANES, WIDTH = BLOCKS * PER_BLOCK;
    vec sum[ROWS][WIDTH];
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
        for (int j = 0; j < WIDTH; j++) sum[r][j] = vec{};
    for (long block = 0; block < num_blocks; block++, a += a_step) {
#pragma GCC unroll 2
        for (long k = 0; k < BLOCK; k++, b += BLOCK, next += 8) {
            __builtin_prefetch(next, 0, 2);
            vec row[WIDTH];
#pragma GCC unroll 4
            for (int j = 0; j < WIDTH; j++)
                row[j] = load(b + j / PER_BLOCK * b_step + j % PER_BLOCK * VEC_LANES);
#pragma GCC unroll 16
            for (int r = 0; r < ROWS; r++) {
                vec v = splat(a[r * BLOCK + k]);
#pragma GCC unroll 4
                for (int j = 0; j < WIDTH; j++) sum[r][j] += v * row[j];
            }
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
        for (int j = 0; j < WIDTH; j++)
            store(c + j / PER_BLOCK * c_step + r * BLOCK + j % PER_BLOCK * VEC_LANES, sum[r][j]);
}

template <int ROWS, int BLOCKS>
static void run_rows(int rows, long num_blocks, const float* a, long a_step, const float* b, long b_step, float* c,
                     long c_step, const float* next) {
    if (rows == ROWS)
        micro_kernel<ROWS, BLOCKS>(num_blocks, a, a_step, b, b_step, c, c_step, next);
    else if constexpr (ROWS > 1)
        run_rows<ROWS - 1, BLOCKS>(rows, num_blocks, a, a_step, b, b_step, c, c_step, next);
}

// a: [k_blocks][rows][16]. b: [n_blocks][k_blocks * 16][16]. c: [n_blocks][rows][16].
static void multiply(long rows, long k_blocks, long n_blocks, Blocked a, const float* b, Blocked c) {
    const long b_step = k_blocks * BLOCK * BLOCK;
    const long parts = (rows + MAX_ROWS - 1) / MAX_ROWS;
    for (long n = 0; n < n_blocks; n += MAX_BLOCKS) {
        const float* panel = b + n * b_step;
        const float* next_panel = panel + MAX_BLOCKS * b_step;  // usually the next class's first one at the end
        for (long part = 0; part < parts; part++) {
            const long r = rows * part / parts, num = rows * (part + 1) / parts - r;  // parts of nearly one size
            const float* next = next_panel + b_step * MAX_BLOCKS * part / parts;
            const float* at = a.data + r * BLOCK;
            float* to = c.data + n * c.step + r * BLOCK;
            if (MAX_BLOCKS == 1 || n + 1 < n_blocks)
                run_rows<MAX_ROWS, MAX_BLOCKS>(num, k_blocks, at, a.step, panel, b_step, to, c.step, next);
            else
                run_rows<MAX_ROWS, 1>(num, k_blocks, at, a.step, panel, b_step, to, c.step, next);
        }
    }
}

}  // namespace

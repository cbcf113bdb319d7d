// Transformed tiles as stacks of matrices, one for each distinct weight matrix, and the threads' work on them.
#pragma once
#include <string.h>
#include <sys/mman.h>

#include <new>

#include "gemm.h"
#include "layer.h"

namespace {

// Memory that a thread keeps, since fresh pages cost more than the arithmetic done on them; huge pages where possible.
struct Scratch {
    static constexpr std::align_val_t HUGE_PAGE{2 << 20};
    float* data = nullptr;
    long size = 0;

    float* reserve(long num_floats) {
        if (num_floats > size) {
            release();
            const long bytes = (num_floats * 4 + long(HUGE_PAGE) - 1) / long(HUGE_PAGE) * long(HUGE_PAGE);
            data = (float*)operator new(bytes, HUGE_PAGE);
            madvise(data, bytes, MADV_HUGEPAGE);
            size = bytes / 4;
        }
        return data;
    }
    void release() {
        if (data) operator delete(data, HUGE_PAGE);
        data = nullptr, size = 0;
    }
    ~Scratch() { release(); }
};
static thread_local Scratch scratch;

// Where the row of a tile lies for each of the points that a tile is transformed to. A class is a pair of an axis' OUT + 2
// distinct weights. An axis has as many points; or, resampled, OUT + 1 for the outer taps and then OUT pixels as they
// are, which all belong to the middle tap.
template <int OUT, bool IS_RESAMPLED>
struct Stack {
    static constexpr int SIDE = OUT + 2, AXIS = IS_RESAMPLED ? 2 * OUT + 1 : SIDE, POINTS = AXIS * AXIS;
    long rows[SIDE * SIDE];     // of each class' matrix
    long offset[SIDE * SIDE];   // of its start, in rows
    long tiles_x[SIDE * SIDE];  // tiles in a row of tiles
    long point[POINTS];         // of the point's first tile, in rows from its class' start
    long total = 0;             // rows of all classes

    // extra_y, extra_x: whether class 0 of the axis has one more tile (see up.h).
    Stack(long num_y, long num_x, bool extra_y = false, bool extra_x = false) {
        for (int c = 0; c < SIDE * SIDE; c++) {
            const int cy = c / SIDE, cx = c % SIDE, points_y = points_of(cy), points_x = points_of(cx);
            const long ny = num_y + (extra_y && cy == 0), nx = num_x + (extra_x && cx == 0);
            tiles_x[c] = nx, rows[c] = points_y * points_x * ny * nx, offset[c] = total;
            total += rows[c];
            for (int y = 0; y < points_y; y++)
                for (int x = 0; x < points_x; x++) point[(cy + y) * AXIS + cx + x] = (y * points_x + x) * ny * nx;
        }
    }

    static int points_of(int axis_class) { return IS_RESAMPLED && axis_class == SIDE - 1 ? OUT : 1; }
    static int class_of(int point) { return point < SIDE ? point : SIDE - 1; }

    // Floats of all matrices with `blocks` blocks of columns; one line of padding keeps classes off one cache set.
    long size(long blocks) const { return (total * blocks + SIDE * SIDE) * BLOCK; }
    Blocked matrix(float* data, int c, long blocks) const {
        return {data + (offset[c] * blocks + c) * BLOCK, rows[c] * BLOCK};
    }
    // The first tile of row `tile_y`, block `block` of the columns, for the first num_y and all x points.
    void places(float* data, int num_y, long blocks, long block, long tile_y, float** to) const {
        for (int p = 0; p < num_y * AXIS; p++) {
            const int c = class_of(p / AXIS) * SIDE + class_of(p % AXIS);
            const Blocked m = matrix(data, c, blocks);
            to[p] = m.data + block * m.step + (point[p] + tile_y * tiles_x[c]) * BLOCK;
        }
    }

    // The products of all classes: a [.., in_blocks] by out_blocks [from, to) of the weights.
    void multiply_all(const Convolution& conv, float* a, float* c, long from, long to) const {
        const long block_size = conv.in_blocks * BLOCK * BLOCK;
        for (int k = 0; k < SIDE * SIDE; k++)
            multiply(rows[k], conv.in_blocks, to - from, matrix(a, k, conv.in_blocks),
                     conv.weight + (k * conv.out_blocks + from) * block_size, matrix(c, k, to - from));
    }
};

// A row of COUNT pixels from column x0 on, zeros outside [0, width); `row` null: all zeros.
template <int COUNT>
INLINE void load_row(const float* row, long x0, long width, vec* d) {
    if (row && x0 >= 0 && x0 + COUNT <= width) {
        for (int i = 0; i < COUNT; i++) d[i] = load(row + (x0 + i) * BLOCK);
        return;
    }
    for (int i = 0; i < COUNT; i++)
        d[i] = row && x0 + i >= 0 && x0 + i < width ? load(row + (x0 + i) * BLOCK) : vec{};
}

// Calls work(slot, i) for i below `num`: each slot a contiguous range, so that sums kept by slot are repeatable.
template <class Work>
static void share_out(Threads threads, long num, Work work) {
    struct Context {
        long num, slots;
        Work& work;
    } context{num, num < threads.num ? num : threads.num, work};
    threads.run(context.slots, [](void* p, long slot) {
        Context& c = *(Context*)p;
        for (long i = c.num * slot / c.slots; i < c.num * (slot + 1) / c.slots; i++) c.work(slot, i);
    }, &context);
}

}  // namespace

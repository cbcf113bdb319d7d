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

constexpr int NUM_CLASSES = 36, MAX_POINTS = 81;

// Where the row of a tile lies for each of the points a tile is transformed to. Points of one axis are numbered
// 0..POINTS-1; of these the first `num_products` have weights of their own, the rest (pixels left as they are) share
// those of class 5. Classes are pairs of an axis' six.
struct Stack {
    int axis;                   // points on an axis: 6 (three taps) or 9 (two taps and one tap, interleaved)
    long rows[NUM_CLASSES];     // of each class' matrix
    long offset[NUM_CLASSES];   // of its start, in rows
    long point[MAX_POINTS];     // of the point's first tile, in rows from its class' start
    long tiles_x[NUM_CLASSES];  // tiles in a row of tiles
    long total;                 // rows of all classes, padding included

    static int class_of(int point) { return point < 5 ? point : 5; }

    // extra_x, extra_y: whether class 0 of the axis has one more tile (see up.h).
    Stack(int axis, long tiles_y, long tiles_x, bool extra_y = false, bool extra_x = false) : axis(axis), total(0) {
        const int shared = axis == 9 ? 4 : 1;  // points of class 5
        for (int cy = 0; cy < 6; cy++)
            for (int cx = 0; cx < 6; cx++) {
                const int c = cy * 6 + cx, num_y = cy == 5 ? shared : 1, num_x = cx == 5 ? shared : 1;
                const long ny = tiles_y + (extra_y && cy == 0), nx = tiles_x + (extra_x && cx == 0);
                this->tiles_x[c] = nx;
                rows[c] = num_y * num_x * ny * nx;
                offset[c] = total;
                total += rows[c];
                for (int y = 0; y < num_y; y++)
                    for (int x = 0; x < num_x; x++) point[(cy + y) * axis + cx + x] = (y * num_x + x) * ny * nx;
            }
    }

    // Floats of all matrices with `blocks` blocks of columns; one line of padding keeps classes off one cache set.
    long size(long blocks) const { return (total * blocks + NUM_CLASSES) * BLOCK; }
    Blocked matrix(float* data, int c, long blocks) const {
        return {data + (offset[c] * blocks + c) * BLOCK, rows[c] * BLOCK};
    }
    // Where block `block` of the given point's row of tiles begins.
    float* tile_row(float* data, int py, int px, long blocks, long block, long tile_y) const {
        const int c = class_of(py) * 6 + class_of(px);
        const Blocked m = matrix(data, c, blocks);
        return m.data + block * m.step + (point[py * axis + px] + tile_y * tiles_x[c]) * BLOCK;
    }
};

// The products of all classes: a [.., in_blocks] by out_blocks [from, to) of the weights.
static void multiply_classes(const Convolution& conv, const Stack& stack, float* a, float* c, long from, long to) {
    const long block_size = conv.in_blocks * BLOCK * BLOCK;
    for (int k = 0; k < NUM_CLASSES; k++)
        multiply(stack.rows[k], conv.in_blocks, to - from, stack.matrix(a, k, conv.in_blocks),
                 conv.weight + (k * conv.out_blocks + from) * block_size, stack.matrix(c, k, to - from));
}

// A row of `count` pixels from column x0 on, zeros outside [0, width); `row` null: all zeros.
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

// What the kernels of one layer are given: plain pointers, so that this needs no header of torch.
#pragma once

// All feature maps are [N, C / 16, H, W, 16]; `noise` is [H, W], or [N, H, W] with noise_step = H * W.
struct Activation {  // clamp(leaky_relu(conv * demod + noise + bias)); demod, noise and bias hold the gain already
    const float* demod;  // [N, C]
    const float* bias;   // [C]
    const float* noise;
    long noise_step;
    float slope, limit;
};

enum { SUM_STYLE, SUM_DEMOD, SUM_RGB, NUM_SUMS = SUM_RGB + 3 };  // sums over pixels, see tail.h

// The way back from a convolution's input y (scaled there by `style`) to the output of the convolution that made y.
struct Tail {
    const float* y;           // [N, C / 16, H, W, 16]
    const float* style;       // [N, C], or null: no convolution reads y
    const float* image_grad;  // [N, 3, H, W], or null: no RGB output reads y
    const float* rgb_weight;  // [N, 3, C], styles included
    const Activation* act;    // null: y is no layer's output
    float* grad;              // result, like y
    float* sums;              // result [threads, NUM_SUMS, N, C], zeros before: each thread's own

    float* sums_of(long thread, long num, long blocks) const { return sums + thread * NUM_SUMS * num * blocks * 16; }
};

struct Convolution {
    long num, in_blocks, out_blocks, height, width;  // of the smaller side of a resampling convolution
    const float* x;
    const float* style;   // [N, in_blocks * 16] factors of x, or null
    const float* weight;  // [(tile + 2)^2, out_blocks, in_blocks * 16, 16], prepared
    const float* taps;    // of the resampling filter, in correlation order, gain included
    int tile;             // 2 or 4: side of a tile of the result
};

// Runs job(context, i) for every i below `num`, in any order, several at a time.
typedef void (*Job)(void* context, long i);
typedef void (*Parallel)(long num, Job job, void* context);
struct Threads {
    long num;
    Parallel run;
};

// One instruction set's kernels.
struct Kernels {
    void (*conv_forward)(const Convolution&, const Activation&, float* y, Threads);
    void (*conv_backward)(const Convolution&, const Tail&, Threads);
    void (*up_forward)(const Convolution&, const Activation&, float* y, Threads);
    void (*up_backward)(const Convolution&, const Tail&, Threads);
    void (*last_backward)(long num, long blocks, long height, long width, const Tail&, Threads);
    void (*rgb_forward)(long num, long blocks, long pixels, const float* x, const float* weight, float* image, Threads);
    void (*add_enlarged)(long planes, long height, long width, const float* image, const float* taps,
                         const float* colours, float* out, Threads);
};

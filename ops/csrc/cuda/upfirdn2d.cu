// Zero-insertion, padding, FIR filter and decimation in one pass; its gradient is the same with other arguments.
#include "launch.cuh"

namespace {

struct Taps {  // of one axis that meet pixels for one result: tap k, then every up-th, on pixel i, then every next one
    int k, i;
};

__device__ inline Taps first_taps(const Axis& a, int out) {
    const int start = out * a.down - a.pad;  // in the zero-inserted image
    int k = -start % a.up;
    if (k < 0) k += a.up;
    return {k, (start + k) / a.up};
}

// An item is N channels of a pixel (channels last) or a single value. TAPS, UP: of both axes, 0 where unknown.
template <class T, int N, int TAPS, int UP, class Index>
__global__ void upfirdn2d_kernel(Upfirdn p, Index num_items) {
    constexpr int MEETING = TAPS ? TAPS / (UP ? UP : 1) : 0;  // taps that meet pixels, of one axis
    Axis ya = p.y_axis, xa = p.x_axis;
    if (TAPS) ya.taps = xa.taps = TAPS;
    if (UP) ya.up = xa.up = UP;
    const Index packs = p.channels / N;
    const float* __restrict__ filter = p.filter;
    for (Index item = Index(blockIdx.x) * BLOCK_SIZE + threadIdx.x; item < num_items;
         item += Index(gridDim.x) * BLOCK_SIZE) {
        Index rest = item, pack = 0;
        if (p.is_channels_last) pack = rest % packs, rest /= packs;
        const int out_x = rest % xa.out;
        rest /= xa.out;
        const int out_y = rest % ya.out;
        rest /= ya.out;
        // x[plane][iy][ix][pack]: planes are samples, or samples and channels.
        const long long step = p.is_channels_last ? packs : 1;
        const Pack<T, N>* __restrict__ x = (const Pack<T, N>*)p.x + (long long)rest * ya.in * xa.in * step + pack;
        const Taps ty = first_taps(ya, out_y), tx = first_taps(xa, out_x);
        float sum[N] = {};
#pragma unroll
        for (int j = 0; j < (MEETING ? MEETING : (ya.taps - ty.k + ya.up - 1) / ya.up); j++) {
            const int iy = ty.i + j;
            if (iy < 0 || iy >= ya.in) continue;
#pragma unroll
            for (int i = 0; i < (MEETING ? MEETING : (xa.taps - tx.k + xa.up - 1) / xa.up); i++) {
                const int ix = tx.i + i;
                if (ix < 0 || ix >= xa.in) continue;
                const float tap = filter[(ty.k + j * ya.up) * xa.taps + tx.k + i * xa.up];
                const Pack<T, N> v = x[((long long)iy * xa.in + ix) * step];
                for (int n = 0; n < N; n++) sum[n] += tap * to_float(v.value[n]);
            }
        }
        Pack<T, N> y;
        for (int n = 0; n < N; n++) from_float(sum[n], y.value[n]);
        ((Pack<T, N>*)p.y)[item] = y;
    }
}

template <class T, int N, class Index>
void launch_taps(const Upfirdn& p, long long num_items, cudaStream_t stream) {
    const Axis &y = p.y_axis, &x = p.x_axis;
    const bool has_four = y.taps == 4 && x.taps == 4 && y.up == x.up;
    if (has_four && x.up == 1)
        launch(upfirdn2d_kernel<T, N, 4, 1, Index>, p, num_items, stream);
    else if (has_four && x.up == 2)
        launch(upfirdn2d_kernel<T, N, 4, 2, Index>, p, num_items, stream);
    else
        launch(upfirdn2d_kernel<T, N, 0, 0, Index>, p, num_items, stream);
}

}  // namespace

void launch_upfirdn2d(const Upfirdn& p, cudaStream_t stream) {
    const long long size = p.num * p.channels * p.y_axis.out * p.x_axis.out;
    with_type(p.type, [&](auto zero) {
        using T = decltype(zero);
        constexpr int WIDE = 16 / sizeof(T);
        const bool can_pack = p.is_channels_last && p.channels % WIDE == 0 && is_aligned(p.x) && is_aligned(p.y);
        with_index(size, [&](auto index) {
            if (can_pack)
                launch_taps<T, WIDE, decltype(index)>(p, size / WIDE, stream);
            else
                launch_taps<T, 1, decltype(index)>(p, size, stream);
        });
    });
}

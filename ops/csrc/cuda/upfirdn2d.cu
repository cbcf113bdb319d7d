// Zero-insertion, padding, FIR filter and decimation in one pass; its gradient is the same with other arguments.
#include "fir_tiles.cuh"

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

// Any filter. An item is N channels of a pixel (channels last) or a single value.
template <class T, int N, class Index>
__global__ void __launch_bounds__(BLOCK_SIZE) upfirdn2d_kernel(Upfirdn p, Index num_items) {
    const Axis ya = p.y_axis, xa = p.x_axis;
    const Index packs = p.channels / N;
    const float* __restrict__ filter = p.filter;
    for (Index item = Index(blockIdx.y) * BLOCK_SIZE + threadIdx.x; item < num_items;
         item += Index(gridDim.y) * BLOCK_SIZE) {
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
        for (int ky = ty.k, iy = ty.i; ky < ya.taps; ky += ya.up, iy++) {
            if (iy < 0 || iy >= ya.in) continue;
            for (int kx = tx.k, ix = tx.i; kx < xa.taps; kx += xa.up, ix++) {
                if (ix < 0 || ix >= xa.in) continue;
                const float tap = p.is_separable ? filter[ky] * filter[kx] : filter[ky * xa.taps + kx];
                const Pack<T, N> v = x[((long long)iy * xa.in + ix) * step];
                for (int n = 0; n < N; n++) sum[n] += tap * to_float(v.value[n]);
            }
        }
        ((Pack<T, N>*)p.y)[item] = pack_of<T>(sum);
    }
}

// Calls work(Index{}) with a type that counts to `size` and a grid beyond: the kernel divides by Index, and a division in
// 64 bits takes several times as many instructions as one in 32.
template <class Work>
void with_index(long long size, Work work) {
    if (size < 1ll << 31)
        work((unsigned)0);
    else
        work((long long)0);
}

template <class T, int N>
void launch_packs(const Upfirdn& p, cudaStream_t stream) {
    const Axis &y = p.y_axis, &x = p.x_axis;
    const bool has_tiles = p.is_separable && x.taps == TAPS && y.up == x.up && y.down == x.down;
    if (has_tiles && x.up == 1 && x.down == 1) return launch_tiles<T, N, 1, 1>(p, stream);
    if (has_tiles && x.up == 2 && x.down == 1) return launch_tiles<T, N, 2, 1>(p, stream);
    if (has_tiles && x.up == 1 && x.down == 2) return launch_tiles<T, N, 1, 2>(p, stream);
    const long long num_items = p.num * p.channels / N * y.out * x.out;
    with_index(num_items, [&](auto index) {
        using Index = decltype(index);
        launch(stream, 1, ceil_div(num_items, BLOCK_SIZE), 1, BLOCK_SIZE, upfirdn2d_kernel<T, N, Index>, p,
               Index(num_items));
    });
}

}  // namespace

void launch_upfirdn2d(const Upfirdn& p, cudaStream_t stream) {
    with_type(p.type, [&](auto zero) {
        using T = decltype(zero);
        constexpr int WIDE = 16 / sizeof(T);
        if (p.is_channels_last && p.channels % WIDE == 0 && is_aligned(p.x) && is_aligned(p.y))
            launch_packs<T, WIDE>(p, stream);
        else
            launch_packs<T, 1>(p, stream);
    });
}

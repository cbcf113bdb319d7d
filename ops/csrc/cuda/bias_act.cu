// Demodulation, noise, bias, activation, gain, clamp and the next layer's styles in one pass, with first and second
// derivative.
//
// Memory is [sample][outer][inner]: inner are pixels and outer channels or, with channels last, the other way round. A
// thread has one pack of 16 bytes of inner and walks along outer: what goes with inner is read once and stays in
// registers, what goes with outer is one number a pack, and no index is divided but once a thread.
#include "activations.cuh"

namespace {

struct Split {  // of a sample over blocks of lanes * rows threads
    long long outers, packs;
    int lanes, rows;
};

template <int ORDER>
constexpr int LOADS = ORDER == 0 ? 4 : 2;  // packs of each tensor that a thread asks for before it uses the first

template <int NUM>
struct Terms {
    float scale[NUM], shift[NUM], styles[NUM];
};

__device__ inline float read(const float* from, long long i, float otherwise) {
    return from ? __ldg(from + i) : otherwise;
}

template <int N>
__device__ inline void read(const float* from, long long i, float otherwise, float (&to)[N]) {
    if constexpr (N % 4 == 0) {
        for (int n = 0; n < N; n += 4) {
            const float4 v = from ? __ldg((const float4*)(from + i + n)) : float4{otherwise, otherwise, otherwise, otherwise};
            to[n] = v.x, to[n + 1] = v.y, to[n + 2] = v.z, to[n + 3] = v.w;
        }
    } else {
        for (int n = 0; n < N; n++) to[n] = read(from, i + n, otherwise);
    }
}

template <int ORDER, bool IS_PIECEWISE>
__device__ inline float apply(const BiasAct& p, float slope, float v, float grad, float grad2) {
    const Derivatives d = IS_PIECEWISE ? piecewise_linear(v, slope) : activate(p.act, v, p.alpha);
    const float value = d.value * p.gain;
    // Either side of a condition is computed, as a branch for each value would cost more.
    const float limited = fminf(fmaxf(value, -p.clamp), p.clamp);
    if (ORDER == 0) return value == value ? limited : value;  // NaN stays NaN
    const float result = ORDER == 1 ? grad * p.gain * d.first : grad * grad2 * p.gain * d.second;
    return fabsf(value) > p.clamp ? 0 : result;
}

template <class T, int N, int ORDER, bool IS_CHANNELS_LAST, bool IS_PIECEWISE>
__global__ void __launch_bounds__(BLOCK_SIZE, 3) bias_act_kernel(BiasAct p, Split split) {
    constexpr int NUM = LOADS<ORDER>;
    using Values = Pack<T, N>;
    const long long channels = p.layout.channels, outers = split.outers, packs = split.packs;
    const int row = threadIdx.x / split.lanes, lane = threadIdx.x - row * split.lanes;
    const long long pack = (long long)blockIdx.x * split.lanes + lane;
    if (pack >= packs) return;
    const float slope = slope_below_zero(p.act, p.alpha);
    const int step = NUM * split.rows;
    for (long long sample = blockIdx.z; sample < p.layout.num; sample += gridDim.z) {
        const long long map = sample * channels;
        Terms<N> inner;
        if constexpr (IS_CHANNELS_LAST) {
            read(p.scale, map + pack * N, 1, inner.scale);
            read(p.bias, pack * N, 0, inner.shift);
            read(p.next_styles, map + pack * N, 1, inner.styles);
        } else {
            read(p.noise, sample * p.noise_step + pack * N, 0, inner.shift);
        }
        for (long long first = (long long)blockIdx.y * step + row; first < outers; first += (long long)gridDim.y * step) {
            Raw<Values> x[NUM], grad[NUM], grad2[NUM];
            Terms<NUM> outer;
            const long long start = (sample * outers + first) * packs + pack;
            const int left = int(outers - first < step ? outers - first : step);
#pragma unroll
            for (int k = 0; k < NUM; k++) {
                const int ahead = k * split.rows < left ? k * split.rows : 0;  // no branch: nothing waits for a load
                const long long item = start + ahead * packs, place = first + ahead;
                x[k] = load_once((const Values*)p.x + item);
                if (ORDER >= 1) grad[k] = load_once((const Values*)p.grad + item);
                if (ORDER == 2) grad2[k] = load_once((const Values*)p.grad2 + item);
                if constexpr (IS_CHANNELS_LAST) {
                    outer.shift[k] = read(p.noise, sample * p.noise_step + place, 0);
                } else {
                    outer.scale[k] = read(p.scale, map + place, 1);
                    outer.shift[k] = read(p.bias, place, 0);
                    outer.styles[k] = read(p.next_styles, map + place, 1);
                }
            }
#pragma unroll
            for (int k = 0; k < NUM; k++) {
                if (k * split.rows >= left) break;
                const Values v = unpacked<Values>(x[k]);
                Values g = {}, g2 = {}, y;
                if (ORDER >= 1) g = unpacked<Values>(grad[k]);
                if (ORDER == 2) g2 = unpacked<Values>(grad2[k]);
#pragma unroll
                for (int n = 0; n < N; n++) {
                    const float scale = IS_CHANNELS_LAST ? inner.scale[n] : outer.scale[k];
                    const float styles = IS_CHANNELS_LAST ? inner.styles[n] : outer.styles[k];
                    const float sum = to_float(v.value[n]) * scale + (inner.shift[n] + outer.shift[k]);
                    const float result = apply<ORDER, IS_PIECEWISE>(p, slope, sum, to_float(g.value[n]),
                                                                    to_float(g2.value[n]));
                    from_float(result * styles, y.value[n]);
                }
                ((Values*)p.y)[start + k * split.rows * packs] = y;
            }
        }
    }
}

template <class T, int N, bool IS_CHANNELS_LAST, int ORDER>
void launch_order(const BiasAct& p, cudaStream_t stream) {
    const Layout& l = p.layout;
    Split split{};
    split.outers = IS_CHANNELS_LAST ? l.pixels : l.channels;
    split.packs = (IS_CHANNELS_LAST ? l.channels : l.pixels) / N;
    split.lanes = int(split.packs < BLOCK_SIZE ? split.packs : BLOCK_SIZE);
    if (split.lanes == 0) return;
    split.rows = BLOCK_SIZE / split.lanes;
    const long long x = ceil_div(split.packs, split.lanes);
    long long y = ceil_div(split.outers, LOADS<ORDER> * split.rows);
    // Blocks of large images go on to a second and fourth stretch, and need not read again what goes with inner.
    const long long enough = 4096;
    for (int i = 0; i < 2 && x * y * l.num >= 2 * enough && y > 1; i++) y = ceil_div(y, 2);
    // Packs are for speed: single values have one kernel for all activations.
    constexpr bool HAS_PIECEWISE = N > 1 && ORDER < 2;
    const auto kernel = is_piecewise_linear(p.act) ? bias_act_kernel<T, N, ORDER, IS_CHANNELS_LAST, HAS_PIECEWISE>
                                                   : bias_act_kernel<T, N, ORDER, IS_CHANNELS_LAST, false>;
    launch(stream, x, y, l.num, split.lanes * split.rows, kernel, p, split);
}

template <class T, int N, bool IS_CHANNELS_LAST>
void launch_layout(const BiasAct& p, cudaStream_t stream) {
    if (p.order == 0)
        launch_order<T, N, IS_CHANNELS_LAST, 0>(p, stream);
    else if (p.order == 1)
        launch_order<T, N, IS_CHANNELS_LAST, 1>(p, stream);
    else
        launch_order<T, N, IS_CHANNELS_LAST, 2>(p, stream);
}

}  // namespace

void launch_bias_act(const BiasAct& p, cudaStream_t stream) {
    const Layout& l = p.layout;
    const bool is_channels_last = l.is_channels_last || l.pixels == 1;  // a matrix [N, C] is both
    const long long inner = is_channels_last ? l.channels : l.pixels;
    bool can_pack = true;
    for (const void* t : {p.x, p.grad, p.grad2, (const void*)p.y, (const void*)p.bias, (const void*)p.scale,
                          (const void*)p.noise, (const void*)p.next_styles})
        can_pack = can_pack && is_aligned(t);
    with_type(p.type, [&](auto zero) {
        using T = decltype(zero);
        constexpr int WIDE = 16 / sizeof(T);
        if (can_pack && inner % WIDE == 0)
            is_channels_last ? launch_layout<T, WIDE, true>(p, stream) : launch_layout<T, WIDE, false>(p, stream);
        else
            is_channels_last ? launch_layout<T, 1, true>(p, stream) : launch_layout<T, 1, false>(p, stream);
    });
}

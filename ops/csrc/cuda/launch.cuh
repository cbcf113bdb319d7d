// Launching kernels over a number of items, and packs of values that one thread reads at once.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "kernels.h"

constexpr int BLOCK_SIZE = 256;

// Runs kernel(p, num_items); each thread takes item blockIdx.x * BLOCK_SIZE + threadIdx.x and every grid's size after.
template <class Params>
void launch(void (*kernel)(Params, long long), const Params& p, long long num_items, cudaStream_t stream) {
    const long long blocks = (num_items + BLOCK_SIZE - 1) / BLOCK_SIZE, most = 1 << 20;
    if (blocks > 0) kernel<<<(unsigned)(blocks < most ? blocks : most), BLOCK_SIZE, 0, stream>>>(p, num_items);
}

template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
    T value[N];
};

__device__ inline float to_float(float v) { return v; }
__device__ inline float to_float(__half v) { return __half2float(v); }
__device__ inline float to_float(__nv_bfloat16 v) { return __bfloat162float(v); }
__device__ inline void from_float(float v, float& to) { to = v; }
__device__ inline void from_float(float v, __half& to) { to = __float2half(v); }
__device__ inline void from_float(float v, __nv_bfloat16& to) { to = __float2bfloat16(v); }

// Calls work(T{}) with the C++ type of `type`.
template <class Work>
void with_type(Type type, Work work) {
    if (type == Type::FLOAT)
        work(float{});
    else if (type == Type::HALF)
        work(__half{});
    else
        work(__nv_bfloat16{});
}

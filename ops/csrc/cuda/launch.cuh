// Launching kernels over a number of items, and packs of values that one thread reads at once.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "kernels.h"

constexpr int BLOCK_SIZE = 256;

// Runs kernel(p, num_items); each thread takes item blockIdx.x * BLOCK_SIZE + threadIdx.x and every grid's size after.
template <class Params, class Index>
void launch(void (*kernel)(Params, Index), Params p, long long num_items, cudaStream_t stream) {
    const long long blocks = (num_items + BLOCK_SIZE - 1) / BLOCK_SIZE, most = 1 << 20;
    if (blocks == 0) return;
    Index num = Index(num_items);
    void* arguments[] = {&p, &num};
    cudaLaunchKernel(kernel, dim3(unsigned(blocks < most ? blocks : most)), dim3(BLOCK_SIZE), arguments, 0, stream);
}

// Whether packs of 16 bytes may be read from or written to this address; null is never touched.
inline bool is_aligned(const void* pointer) { return (std::uintptr_t)pointer % 16 == 0; }

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

// Calls work(Index{}) with a type that counts to `size` and a grid beyond: kernels divide by Index, and a division in 64
// bits takes several times as many instructions as one in 32.
template <class Work>
void with_index(long long size, Work work) {
    if (size < 1ll << 31)
        work((unsigned)0);
    else
        work((long long)0);
}

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

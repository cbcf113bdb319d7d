// Launching kernels, and packs of values that one thread reads at once.
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels.h"

constexpr int BLOCK_SIZE = 256;

inline __host__ __device__ long long ceil_div(long long a, long long b) { return (a + b - 1) / b; }

// Runs a kernel on x * y * z blocks. A grid ends at 65535 in y and z, so kernels go on there by the grid's size.
template <class... Params>
void launch(cudaStream_t stream, long long x, long long y, long long z, int threads, void (*kernel)(Params...),
            Params... p) {
    const long long most = 65535;
    if (x == 0 || y == 0 || z == 0) return;
    void* arguments[] = {&p...};
    const dim3 grid(unsigned(x), unsigned(y < most ? y : most), unsigned(z < most ? z : most));
    cudaLaunchKernel(kernel, grid, dim3(threads), arguments, 0, stream);
}

// Whether packs of 16 bytes may be read from or written to this address; null is never touched.
inline bool is_aligned(const void* pointer) { return (std::uintptr_t)pointer % 16 == 0; }

template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
    T value[N];
};

// A pack as it is until it is used: of 16 bytes four registers, where values of half precision would take one each.
template <class Values>
using Raw = std::conditional_t<sizeof(Values) == sizeof(uint4), uint4, Values>;

template <class Values>
__device__ inline Values unpacked(const Raw<Values>& raw) {
    Values values;
    memcpy(&values, &raw, sizeof(values));
    return values;
}

// Reads a pack that nobody reads again soon: it is the first to leave the caches.
template <class Values>
__device__ inline Raw<Values> load_once(const Values* from) {
    if constexpr (sizeof(Values) == sizeof(uint4))
        return __ldcs((const uint4*)from);
    else
        return *from;
}

// Writes a pack at once where an assignment may be taken apart: the compiler does so to addresses of single values.
template <class T>
__device__ inline void store_at_once(Pack<T, 4>* to, const Pack<T, 4>& values) {
    using Bits = std::conditional_t<sizeof(values) == sizeof(uint4), uint4, uint2>;
    Bits bits;
    memcpy(&bits, &values, sizeof(bits));
    __stcs((Bits*)to, bits);
}

// A number that the compiler does not know beforehand, so that what follows from it stays where it is written.
__device__ inline int unforeseen(int number) {
    asm volatile("" : "+r"(number));
    return number;
}

__device__ inline float to_float(float v) { return v; }
__device__ inline float to_float(__half v) { return __half2float(v); }
__device__ inline float to_float(__nv_bfloat16 v) { return __bfloat162float(v); }
__device__ inline void from_float(float v, float& to) { to = v; }
__device__ inline void from_float(float v, __half& to) { to = __float2half(v); }
__device__ inline void from_float(float v, __nv_bfloat16& to) { to = __float2bfloat16(v); }

template <class T, int N>
__device__ inline Pack<T, N> pack_of(const float (&values)[N]) {
    Pack<T, N> pack;
    for (int n = 0; n < N; n++) from_float(values[n], pack.value[n]);
    return pack;
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

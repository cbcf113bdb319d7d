// What the CUDA sources use of CUDA, for a compiler that has none: blocks run one after the other, and the threads of a
// block take turns, each until it waits for the others or ends.
#pragma once
#include <c10/core/Device.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>
#include <ucontext.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define __shared__ static  // of a kernel: as its blocks do not run at once, they can have the same

using cudaStream_t = int;
using __half = c10::Half;
using __nv_bfloat16 = c10::BFloat16;
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

inline float __half2float(__half v) { return v; }
inline __half __float2half(float v) { return v; }
inline float __bfloat162float(__nv_bfloat16 v) { return v; }
inline __nv_bfloat16 __float2bfloat16(float v) { return v; }

// Packs of 8 and 16 bytes must begin at a multiple of these, as on a GPU.
template <class T>
T read_aligned(const T* from) {
    if ((std::uintptr_t)from % alignof(T)) std::abort();
    return *from;
}
template <class T>
T __ldg(const T* from) { return read_aligned(from); }
template <class T>
T __ldcs(const T* from) { return read_aligned(from); }
template <class T>
void __stcs(T* to, T value) {
    read_aligned(to);
    *to = value;
}

struct dim3 {
    unsigned x, y, z;
    explicit dim3(unsigned x, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
inline dim3 gridDim(1), blockIdx(0), threadIdx(0);

// The threads of a block, each with a stack of its own.
class HostBlock {
public:
    void run(unsigned num_threads, const std::function<void()>& kernel) {
        kernel_ = &kernel, ended_ = 0;
        if (threads_.size() < num_threads) threads_.resize(num_threads), stacks_.resize(num_threads * STACK);
        for (unsigned i = 0; i < num_threads; i++) {
            getcontext(&threads_[i]);
            threads_[i].uc_stack.ss_sp = &stacks_[i * STACK];
            threads_[i].uc_stack.ss_size = STACK;
            threads_[i].uc_link = &all_;
            makecontext(&threads_[i], &HostBlock::thread, 0);
        }
        // One after the other up to the next barrier, in turn from the first and from the last: whoever relies on another
        // without waiting finds it behind. All must arrive, or all have ended.
        for (bool is_forward = true; ended_ < num_threads; is_forward = !is_forward) {
            if (ended_ != 0) std::abort();
            for (unsigned i = 0; i < num_threads; i++) {
                threadIdx.x = is_forward ? i : num_threads - 1 - i;
                swapcontext(&all_, &threads_[threadIdx.x]);
            }
        }
    }
    void wait() { swapcontext(&threads_[threadIdx.x], &all_); }

private:
    static void thread();
    static constexpr std::size_t STACK = 1 << 16;
    const std::function<void()>* kernel_ = nullptr;
    unsigned ended_ = 0;
    ucontext_t all_{};
    std::vector<ucontext_t> threads_;
    std::vector<char> stacks_;
};
inline HostBlock host_block;
inline void HostBlock::thread() {
    (*host_block.kernel_)();
    host_block.ended_++;
}
inline void __syncthreads() { host_block.wait(); }

template <class... Params, std::size_t... I>
void call(void (*kernel)(Params...), void** arguments, std::index_sequence<I...>) {
    kernel(*(Params*)arguments[I]...);
}

// Fewer blocks in y and z than asked for, so that each has to go on, as on a GPU with the largest grid.
template <class... Params>
void cudaLaunchKernel(void (*kernel)(Params...), dim3 grid, dim3 block, void** arguments, int, cudaStream_t) {
    gridDim = dim3(grid.x, grid.y < 2 ? grid.y : 2, grid.z < 2 ? grid.z : 2);
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
                host_block.run(block.x, [&] { call(kernel, arguments, std::index_sequence_for<Params...>{}); });
}

namespace c10::cuda {
struct CUDAGuard {
    explicit CUDAGuard(c10::Device) {}
};
inline cudaStream_t getCurrentCUDAStream() { return 0; }
}  // namespace c10::cuda
inline int cudaGetLastError() { return 0; }

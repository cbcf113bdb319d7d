// The kernels for AVX-512.
#if defined(__x86_64__)
#include <string.h>  // the system's headers come first: they are for any machine
#include <sys/mman.h>

#include <new>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#endif
#define VEC_LANES 16
#include "kernels.h"
DEFINE_KERNELS(kernels_avx512)
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif

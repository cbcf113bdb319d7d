// The kernels for AVX2.
#if defined(__x86_64__)
#include <string.h>  // the system's headers come first: they are for any machine
#include <sys/mman.h>

#include <new>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define VEC_LANES 8
#include "kernels.h"
DEFINE_KERNELS(kernels_avx2)
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif

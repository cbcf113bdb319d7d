// One vector of floats as the compiler's own vector type, so that one source serves every instruction set.
//
// A file that includes this defines VEC_LANES (16: AVX-512, 8: AVX2, 4: any machine) after choosing its target.
// Feature maps are stored in blocks of 16 channels: [N, C / 16, H, W, 16].
#pragma once

namespace {

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * VEC_LANES)));
typedef vec unaligned_vec __attribute__((aligned(4), may_alias));

constexpr long BLOCK = 16;  // channels that lie side by side

INLINE vec load(const float* p) { return *(const unaligned_vec*)p; }
INLINE void store(float* p, vec v) { *(unaligned_vec*)p = v; }
INLINE vec splat(float v) { return v - vec{}; }  // a single broadcast, where vec{} + v would have to add

}  // namespace

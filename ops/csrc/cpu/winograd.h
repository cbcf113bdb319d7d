// The one-dimensional transforms of Winograd's convolution, on the points of points.h.
//
// Source: Lavin and Gray 2016 (arXiv 1509.09308), made for any points by Cook and Toom's rule: OUT outputs of an r-tap
// correlation are A^T [(G g) * (B^T d)]. Row p of B^T is the polynomial prod_{q != p} (x - q), row p of G is
// [1, p, p^2] / prod_{q != p} (p - q), and A^T holds the powers p^j. The points chosen have half the rounding error of
// the usual 0, +-1, +-2; tiles of two outputs have a third of it and fewer weights, but take more products.
#pragma once
#include "points.h"
#include "vec.h"

namespace {

// B^T d, of OUT + 2 inputs or, resampled, OUT + 1.
template <int OUT, bool IS_RESAMPLED>
INLINE void transform_input(const vec* d, vec* out) {
    if constexpr (OUT == 2) {
        out[0] = d[2] - d[0];
        out[1] = d[2] + d[1];
        out[2] = d[2] - d[1];
        if constexpr (!IS_RESAMPLED) out[3] = d[3] - d[1];
    } else {
        using P = Points<OUT, IS_RESAMPLED>;
        constexpr float a = P::A, b = P::B, a2 = P::A * P::A, b2 = P::B * P::B, sum = P::A * P::A + P::B * P::B,
                        product = P::A * P::A * P::B * P::B;
        out[0] = d[4] - sum * d[2] + product * d[0];
        vec even = d[4] - b2 * d[2], odd = d[3] - b2 * d[1];
        out[1] = even + a * odd;
        out[2] = even - a * odd;
        even = d[4] - a2 * d[2], odd = d[3] - a2 * d[1];
        out[3] = even + b * odd;
        out[4] = even - b * odd;
        if constexpr (!IS_RESAMPLED) out[5] = d[5] - sum * d[3] + product * d[1];
    }
}

// A^T m
template <int OUT, bool IS_RESAMPLED>
INLINE void transform_output(const vec* m, vec* out) {
    if constexpr (OUT == 2) {
        out[0] = m[0] + m[1] + m[2];
        out[1] = m[1] - m[2];
    } else {
        using P = Points<OUT, IS_RESAMPLED>;
        constexpr float a = P::A, b = P::B, a2 = P::A * P::A, b2 = P::B * P::B, a3 = P::A * P::A * P::A,
                        b3 = P::B * P::B * P::B;
        const vec sum_a = m[1] + m[2], sum_b = m[3] + m[4], a_odd = m[1] - m[2], b_odd = m[3] - m[4];
        out[0] = m[0] + sum_a + sum_b;
        out[1] = a * a_odd + b * b_odd;
        out[2] = a2 * sum_a + b2 * sum_b;
        out[3] = a3 * a_odd + b3 * b_odd;
    }
    if constexpr (!IS_RESAMPLED) out[OUT - 1] += m[OUT + 1];
}

}  // namespace

// The one-dimensional transforms of Winograd's convolution on the points 0, +-a, +-b and, for three taps, infinity.
//
// Source: Lavin and Gray 2016 (arXiv 1509.09308), made for any points by Cook and Toom's rule: four outputs of an
// r-tap correlation are A^T [(G g) * (B^T d)]. Row p of B^T is the polynomial prod_{q != p} (x - q), row p of G is
// [1, p, p^2] / prod_{q != p} (p - q), and A^T holds the powers p^j. The points below have half the rounding error of
// the usual 0, +-1, +-2.
#pragma once
#include "points.h"
#include "vec.h"

namespace {

// B^T d
template <class F>
INLINE void transform_input(const vec* d, vec* out) {
    constexpr float a = F::A, b = F::B, a2 = F::A * F::A, b2 = F::B * F::B, sum = F::A * F::A + F::B * F::B,
                    product = F::A * F::A * F::B * F::B;
    out[0] = d[4] - sum * d[2] + product * d[0];
    vec even = d[4] - b2 * d[2], odd = d[3] - b2 * d[1];
    out[1] = even + a * odd;
    out[2] = even - a * odd;
    even = d[4] - a2 * d[2], odd = d[3] - a2 * d[1];
    out[3] = even + b * odd;
    out[4] = even - b * odd;
    if constexpr (F::POINTS == 6) out[5] = d[5] - sum * d[3] + product * d[1];
}

// A^T m
template <class F>
INLINE void transform_output(const vec* m, vec* out) {
    constexpr float a = F::A, b = F::B, a2 = F::A * F::A, b2 = F::B * F::B, a3 = F::A * F::A * F::A,
                    b3 = F::B * F::B * F::B;
    const vec sum_a = m[1] + m[2], sum_b = m[3] + m[4], a_odd = m[1] - m[2], b_odd = m[3] - m[4];
    out[0] = m[0] + sum_a + sum_b;
    out[1] = a * a_odd + b * b_odd;
    out[2] = a2 * sum_a + b2 * sum_b;
    out[3] = a3 * a_odd + b3 * b_odd;
    if constexpr (F::POINTS == 6) out[3] += m[5];
}

}  // namespace

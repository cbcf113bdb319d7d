// The points of Winograd's transforms, see winograd.h.
#pragma once

// A tile of OUT x OUT results. Every axis has OUT + 2 distinct weights: of a three-tap convolution its points, the last
// one at infinity; of a resampled one OUT + 1 points for the two outer taps, and the middle tap as it is.
template <int OUT, bool IS_RESAMPLED>
struct Points;

template <>
struct Points<4, false> {
    static constexpr double A = 0.70710678118654752, B = 1.41421356237309505, finite[5] = {0, A, -A, B, -B};
};
template <>
struct Points<4, true> {
    static constexpr double A = 0.8, B = 2.4, finite[5] = {0, A, -A, B, -B};
};
template <bool IS_RESAMPLED>
struct Points<2, IS_RESAMPLED> {
    static constexpr double finite[3] = {0, 1, -1};
};

// The points of Winograd's transforms, see winograd.h.
#pragma once

struct ThreeTaps {  // F(4, 3): 6 inputs, 6 products, the last point at infinity
    static constexpr int POINTS = 6;
    static constexpr double A = 0.70710678118654752, B = 1.41421356237309505;
};
struct TwoTaps {  // F(4, 2): 5 inputs, 5 products, no point at infinity
    static constexpr int POINTS = 5;
    static constexpr double A = 0.8, B = 2.4;
};

// Weights of a 3x3 convolution in Winograd's domain, in the layout that the kernels read.
#pragma once
#include "points.h"

namespace {

// The six values that three taps of one axis become: rows of G, see winograd.h.
struct TapMatrix {
    double row[6][3];

    template <class F>
    void set(int point, int tap, int power) {  // the point's factor of `tap`, which stands at `power` of it
        const double points[5] = {0, F::A, -F::A, F::B, -F::B};
        double value = 1;
        for (int i = 0; i < power; i++) value *= points[point];
        for (int other = 0; other < 5; other++)
            if (other != point) value /= points[point] - points[other];
        row[point][tap] = value;
    }

    // Of a plain convolution, whose last point is infinity; or of a resampled one, whose outer taps, the last one
    // first, meet each other and whose middle tap stands alone.
    explicit TapMatrix(bool is_resampled) : row{} {
        for (int point = 0; point < 5; point++)
            if (is_resampled) {
                set<TwoTaps>(point, 2, 0);
                set<TwoTaps>(point, 0, 1);
            } else {
                for (int tap = 0; tap < 3; tap++) set<ThreeTaps>(point, tap, tap);
            }
        row[5][is_resampled ? 1 : 2] = 1;
    }
};

// weight [out, in, 3, 3] -> to [36, out / 16, in, 16], output channels [16 * block, 16 * block + 16).
inline void prepare_block(const TapMatrix& G, const float* weight, float* to, long out, long in, long block) {
    constexpr int LANES = 16;
    for (long i = 0; i < in; i++) {
        double half[3][6][LANES] = {};
        for (int o = 0; o < LANES; o++)
            for (int tap = 0; tap < 9; tap++)
                for (int p = 0; p < 6; p++)
                    half[tap / 3][p][o] += G.row[p][tap % 3] * weight[((block * LANES + o) * in + i) * 9 + tap];
        for (int p = 0; p < 36; p++) {
            double sum[LANES] = {};
            for (int tap = 0; tap < 3; tap++)
                for (int o = 0; o < LANES; o++) sum[o] += G.row[p / 6][tap] * half[tap][p % 6][o];
            for (int o = 0; o < LANES; o++) to[((p * (out / LANES) + block) * in + i) * LANES + o] = float(sum[o]);
        }
    }
}

}  // namespace

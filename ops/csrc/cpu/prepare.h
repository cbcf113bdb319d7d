// Weights of a 3x3 convolution in Winograd's domain, in the layout that the kernels read.
#pragma once
#include "points.h"

namespace {

// The OUT + 2 values that three taps of one axis become: rows of G, see winograd.h.
template <int OUT, bool IS_RESAMPLED>
struct TapMatrix {
    double row[OUT + 2][3] = {};

    TapMatrix() {
        for (int point = 0; point <= OUT; point++)
            if (IS_RESAMPLED) {  // the outer taps meet each other, the last one first
                row[point][2] = factor(point, 0);
                row[point][0] = factor(point, 1);
            } else {
                for (int tap = 0; tap < 3; tap++) row[point][tap] = factor(point, tap);
            }
        row[OUT + 1][IS_RESAMPLED ? 1 : 2] = 1;
    }

    static double factor(int point, int power) {
        const auto& points = Points<OUT, IS_RESAMPLED>::finite;
        double value = 1;
        for (int i = 0; i < power; i++) value *= points[point];
        for (int other = 0; other <= OUT; other++)
            if (other != point) value /= points[point] - points[other];
        return value;
    }
};

// weight [out, in, 3, 3] -> to [(OUT + 2)^2, out / 16, in, 16], output channels [16 * block, 16 * block + 16).
template <int OUT, bool IS_RESAMPLED>
void prepare_block(const float* weight, float* to, long out, long in, long block) {
    constexpr int LANES = 16, SIDE = OUT + 2;
    const TapMatrix<OUT, IS_RESAMPLED> G;
    for (long i = 0; i < in; i++) {
        double half[3][SIDE][LANES] = {};
        for (int o = 0; o < LANES; o++)
            for (int tap = 0; tap < 9; tap++)
                for (int p = 0; p < SIDE; p++)
                    half[tap / 3][p][o] += G.row[p][tap % 3] * weight[((block * LANES + o) * in + i) * 9 + tap];
        for (int p = 0; p < SIDE * SIDE; p++) {
            double sum[LANES] = {};
            for (int tap = 0; tap < 3; tap++)
                for (int o = 0; o < LANES; o++) sum[o] += G.row[p / SIDE][tap] * half[tap][p % SIDE][o];
            for (int o = 0; o < LANES; o++) to[((p * (out / LANES) + block) * in + i) * LANES + o] = float(sum[o]);
        }
    }
}

}  // namespace

// The CUDA operators: checks and the current stream; the kernels themselves are in the .cu files.
//
// Operands come checked and results allocated (ops/cuda_ops.py), and an operator answers with a number: 0 when its kernel
// was started, CUDA's error, or WRONG_OPERANDS. So no exception is thrown here: on one machine, whose compiler stood behind
// a wrapper, an exception ended the process; the cause is not known.
#include <ATen/core/Tensor.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <climits>
#include <limits>

#include "kernels.h"

namespace {

using at::Tensor;

constexpr int64_t WRONG_OPERANDS = -1;

bool has_type(const Tensor& t) {
    return t.scalar_type() == at::kFloat || t.scalar_type() == at::kHalf || t.scalar_type() == at::kBFloat16;
}

Type type_of(const Tensor& t) {
    return t.scalar_type() == at::kFloat ? Type::FLOAT : t.scalar_type() == at::kHalf ? Type::HALF : Type::BFLOAT16;
}

at::MemoryFormat format_of(const Tensor& t) {
    return t.is_contiguous() ? at::MemoryFormat::Contiguous : at::MemoryFormat::ChannelsLast;
}

// Whether x is a dense image tensor [N, C, H, W] of a known type on a GPU.
bool is_image(const Tensor& x) {
    return x.is_cuda() && x.dim() == 4 && has_type(x) && x.is_contiguous(format_of(x));
}

// Whether t is missing or holds `size` float32 values in order.
bool are_floats(const std::optional<Tensor>& t, const Tensor& x, int64_t size) {
    return !t || (t->device() == x.device() && t->scalar_type() == at::kFloat && t->is_contiguous() &&
                  t->numel() == size);
}

// Whether t has x's place, type, and memory format.
bool is_alike(const Tensor& t, const Tensor& x) {
    return t.device() == x.device() && t.scalar_type() == x.scalar_type() && t.dim() == 4 &&
           t.is_contiguous(format_of(x));
}

bool is_like(const std::optional<Tensor>& t, const Tensor& x, bool is_wanted) {
    return t.has_value() == is_wanted && (!t || (t->sizes() == x.sizes() && is_alike(*t, x)));
}

const float* floats(const std::optional<Tensor>& t) { return t ? t->const_data_ptr<float>() : nullptr; }

const void* data(const std::optional<Tensor>& t) { return t ? t->const_data_ptr() : nullptr; }

// x and y: [N, C, H, W]; a matrix [N, C] comes as [N, C, 1, 1].
int64_t bias_act(const Tensor& x, const Tensor& y, const std::optional<Tensor>& bias, const std::optional<Tensor>& scale,
                 const std::optional<Tensor>& noise, const std::optional<Tensor>& next_styles,
                 const std::optional<Tensor>& grad, const std::optional<Tensor>& grad2, int64_t order, int64_t act,
                 double alpha, double gain, std::optional<double> clamp) {
    if (!is_image(x) || !is_like(y, x, true)) return WRONG_OPERANDS;
    const int64_t num = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3);
    const bool is_shared = noise && noise->numel() == pixels;
    if (order < 0 || order > 2 || act < 0 || act > int64_t(Act::SWISH) || !is_like(grad, x, order >= 1) ||
        !is_like(grad2, x, order == 2) || !are_floats(bias, x, channels) || !are_floats(scale, x, num * channels) ||
        !are_floats(next_styles, x, num * channels) || !are_floats(noise, x, is_shared ? pixels : num * pixels))
        return WRONG_OPERANDS;
    const c10::cuda::CUDAGuard guard(x.device());
    BiasAct p{};
    p.layout = {num, channels, pixels, format_of(x) == at::MemoryFormat::ChannelsLast};
    p.x = x.const_data_ptr(), p.grad = data(grad), p.grad2 = data(grad2), p.y = y.mutable_data_ptr();
    p.bias = floats(bias), p.scale = floats(scale), p.noise = floats(noise), p.next_styles = floats(next_styles);
    p.noise_step = is_shared ? 0 : pixels;
    p.type = type_of(x), p.act = Act(act), p.order = int(order), p.alpha = alpha, p.gain = gain;
    p.clamp = clamp ? float(*clamp) : std::numeric_limits<float>::infinity();
    launch_bias_act(p, c10::cuda::getCurrentCUDAStream());
    return cudaGetLastError();
}

// filter: [kh, kw], or [k] of both axes, float32 in correlation order. up, down: (y, x). before: zeros (above, to the left), negative to crop.
int64_t upfirdn2d(const Tensor& x, const Tensor& y, const Tensor& filter, at::IntArrayRef up, at::IntArrayRef down,
                  at::IntArrayRef before) {
    if (!is_image(x) || !is_alike(y, x) || y.size(0) != x.size(0) || y.size(1) != x.size(1) ||
        filter.dim() < 1 || filter.dim() > 2 || !are_floats(filter, x, filter.numel()) || up.size() != 2 || down.size() != 2 || before.size() != 2)
        return WRONG_OPERANDS;
    const c10::cuda::CUDAGuard guard(x.device());
    Upfirdn p{};
    Axis* axes[] = {&p.y_axis, &p.x_axis};
    for (int i = 0; i < 2; i++) {
        const int64_t in = x.size(2 + i), out = y.size(2 + i), most = INT_MAX / 2;
        if (up[i] < 1 || up[i] > most || down[i] < 1 || down[i] > most || in > most / up[i] || out > most / down[i] ||
            before[i] > most || before[i] < -most)
            return WRONG_OPERANDS;
        *axes[i] = {int(in), int(out), int(up[i]), int(down[i]), int(before[i]), int(filter.size(i % filter.dim()))};
    }
    p.is_separable = filter.dim() == 1, p.is_channels_last = format_of(x) == at::MemoryFormat::ChannelsLast;
    p.num = x.size(0), p.channels = x.size(1), p.type = type_of(x);
    p.x = x.const_data_ptr(), p.filter = floats(filter), p.y = y.mutable_data_ptr();
    launch_upfirdn2d(p, c10::cuda::getCurrentCUDAStream());
    return cudaGetLastError();
}

}  // namespace

TORCH_LIBRARY(stylet2i_cuda, m) {
    m.def("bias_act(Tensor x, Tensor(a!) y, Tensor? bias, Tensor? scale, Tensor? noise, Tensor? next_styles, "
          "Tensor? grad, Tensor? grad2, int order, int act, float alpha, float gain, float? clamp) -> int", &bias_act);
    m.def("upfirdn2d(Tensor x, Tensor(a!) y, Tensor filter, int[] up, int[] down, int[] before) -> int", &upfirdn2d);
}

// The CUDA operators: checks, memory and the current stream; the kernels themselves are in the .cu files.
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <limits>

#include "kernels.h"

namespace {

using at::Tensor;

Type type_of(const Tensor& t) {
    TORCH_CHECK(t.scalar_type() == at::kFloat || t.scalar_type() == at::kHalf || t.scalar_type() == at::kBFloat16,
                "float32, float16 or bfloat16 wanted, got ", t.scalar_type());
    return t.scalar_type() == at::kFloat ? Type::FLOAT : t.scalar_type() == at::kHalf ? Type::HALF : Type::BFLOAT16;
}

// Whether x lies in memory with its channels last; x must be dense either way.
bool has_channels_last(const Tensor& x) {
    TORCH_CHECK(x.is_cuda() && x.dim() == 4, "a CUDA tensor [N, C, H, W] wanted, got ", x.sizes(), " on ", x.device());
    const bool is_contiguous = x.is_contiguous();
    TORCH_CHECK(is_contiguous || x.is_contiguous(at::MemoryFormat::ChannelsLast), "a dense tensor wanted");
    return !is_contiguous;
}

const float* floats(const std::optional<Tensor>& t, const Tensor& x, long long size, const char* name) {
    if (!t) return nullptr;
    TORCH_CHECK(t->device() == x.device() && t->scalar_type() == at::kFloat && t->is_contiguous() && t->numel() == size,
                name, " must be a contiguous float32 tensor of ", size, " values on ", x.device(), ", got ", t->sizes());
    return t->const_data_ptr<float>();
}

const void* like(const std::optional<Tensor>& t, const Tensor& x, bool is_wanted, const char* name) {
    TORCH_CHECK(t.has_value() == is_wanted, name, is_wanted ? " is missing" : " is of no use here");
    if (!t) return nullptr;
    const auto format = has_channels_last(x) ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    TORCH_CHECK(t->device() == x.device() && t->scalar_type() == x.scalar_type() && t->sizes() == x.sizes() &&
                t->is_contiguous(format), name, " must be like x");
    return t->const_data_ptr();
}

// x: [N, C, H, W]; a matrix [N, C] comes as [N, C, 1, 1].
Tensor bias_act(const Tensor& x, const std::optional<Tensor>& bias, const std::optional<Tensor>& scale,
                const std::optional<Tensor>& noise, const std::optional<Tensor>& next_styles,
                const std::optional<Tensor>& grad, const std::optional<Tensor>& grad2, int64_t order, int64_t act,
                double alpha, double gain, std::optional<double> clamp) {
    const c10::cuda::CUDAGuard guard(x.device());
    BiasAct p{};
    p.layout = {x.size(0), x.size(1), x.size(2) * x.size(3), has_channels_last(x)};
    TORCH_CHECK(order >= 0 && order <= 2 && act >= 0 && act <= int64_t(Act::SWISH), "unknown order or activation");
    p.x = x.const_data_ptr(), p.grad = like(grad, x, order >= 1, "grad"), p.grad2 = like(grad2, x, order == 2, "grad2");
    p.bias = floats(bias, x, x.size(1), "bias"), p.scale = floats(scale, x, x.size(0) * x.size(1), "scale");
    p.next_styles = floats(next_styles, x, x.size(0) * x.size(1), "next_styles");
    const bool is_shared = noise && noise->numel() == p.layout.pixels;
    p.noise = floats(noise, x, is_shared ? p.layout.pixels : x.size(0) * p.layout.pixels, "noise");
    p.noise_step = is_shared ? 0 : p.layout.pixels;
    p.type = type_of(x), p.act = Act(act), p.order = int(order), p.alpha = alpha, p.gain = gain;
    p.clamp = clamp ? float(*clamp) : std::numeric_limits<float>::infinity();
    Tensor y = at::empty_like(x);
    p.y = y.mutable_data_ptr();
    launch_bias_act(p, c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return y;
}

// filter: [kh, kw] float32 in correlation order. up, down: (y, x). padding: (left, right, top, bottom).
Tensor upfirdn2d(const Tensor& x, const Tensor& filter, at::IntArrayRef up, at::IntArrayRef down,
                 at::IntArrayRef padding) {
    const c10::cuda::CUDAGuard guard(x.device());
    TORCH_CHECK(filter.dim() == 2 && up.size() == 2 && down.size() == 2 && padding.size() == 4, "malformed arguments");
    TORCH_CHECK(up[0] > 0 && up[1] > 0 && down[0] > 0 && down[1] > 0, "up and down start at 1");
    auto axis = [&](int i, int64_t before, int64_t after) {
        const int64_t in = x.size(2 + i), taps = filter.size(i);
        const int64_t padded = in * up[i] + before + after, out = (padded - taps) / down[i] + 1;
        TORCH_CHECK(padded >= taps, "the padded image is smaller than the filter");
        TORCH_CHECK(std::max({padded, in * up[i], std::abs(before)}) < INT_MAX / 2, "an image side is too long");
        return Axis{int(in), int(out), int(up[i]), int(down[i]), int(before), int(taps)};
    };
    Upfirdn p{};
    p.is_channels_last = has_channels_last(x);
    p.y_axis = axis(0, padding[2], padding[3]), p.x_axis = axis(1, padding[0], padding[1]);
    p.num = x.size(0), p.channels = x.size(1), p.type = type_of(x);
    p.x = x.const_data_ptr(), p.filter = floats(filter, x, filter.numel(), "filter");
    Tensor y = at::empty({p.num, p.channels, p.y_axis.out, p.x_axis.out}, x.options(),
                         p.is_channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    p.y = y.mutable_data_ptr();
    launch_upfirdn2d(p, c10::cuda::getCurrentCUDAStream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return y;
}

}  // namespace

TORCH_LIBRARY(stylet2i_cuda, m) {
    m.def("bias_act(Tensor x, Tensor? bias, Tensor? scale, Tensor? noise, Tensor? next_styles, Tensor? grad, "
          "Tensor? grad2, int order, int act, float alpha, float gain, float? clamp) -> Tensor", &bias_act);
    m.def("upfirdn2d(Tensor x, Tensor filter, int[] up, int[] down, int[] padding) -> Tensor", &upfirdn2d);
}

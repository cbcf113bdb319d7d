// The operators of a frozen StyleGAN2 generator's layers on a CPU: checks, memory, and the choice of instruction set.
#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include "layer.h"
#include "memory.h"
#include "prepare.h"

extern const Kernels kernels_avx512, kernels_avx2, kernels_portable;

namespace {

using at::Tensor;

std::string instruction_set() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw"))
        return "avx512";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "avx2";
#endif
    return "portable";
}

std::string chosen = instruction_set();

const Kernels& kernels() {
#if defined(__x86_64__)
    if (chosen == "avx512") return kernels_avx512;
    if (chosen == "avx2") return kernels_avx2;
#endif
    return kernels_portable;
}

// For tests: a lesser instruction set than the best.
void use_instruction_set(std::string name) {
    const std::string best = instruction_set();
    TORCH_CHECK(name == "portable" || name == best || (name == "avx2" && best == "avx512"),
                "this CPU offers ", best, ", not ", name);
    chosen = name;
}

void run_parallel(long num, Job job, void* context) {
    at::parallel_for(0, num, 1, [&](long first, long last) {
        for (long i = first; i < last; i++) job(context, i);
    });
}
Threads threads() { return {at::get_num_threads(), run_parallel}; }

const float* data(const Tensor& t, const char* name, at::IntArrayRef sizes) {
    TORCH_CHECK(t.device().is_cpu() && t.dtype() == at::kFloat && t.is_contiguous() && t.sizes() == sizes, name,
                " must be a contiguous float32 CPU tensor of shape ", sizes, ", got ", t.dtype(), " ", t.sizes());
    return t.const_data_ptr<float>();
}

// x is [N, C / 16, H, W, 16], `scale` times as large as the smaller side of the convolution.
Convolution convolution(const Tensor& x, const std::optional<Tensor>& style, const Tensor& weight,
                        const std::optional<Tensor>& taps, long scale = 1) {
    TORCH_CHECK(x.dim() == 5 && x.size(4) == 16, "x must be [N, C/16, H, W, 16], got ", x.sizes());
    TORCH_CHECK(weight.dim() == 4 && (weight.size(0) == 16 || weight.size(0) == 36), "weight must be prepared");
    Convolution c{x.size(0), x.size(1), weight.size(1), x.size(2) / scale, x.size(3) / scale};
    c.tile = weight.size(0) == 16 ? 2 : 4;
    TORCH_CHECK(c.height % c.tile == 0 && c.width % c.tile == 0, "sides must be multiples of ", c.tile);
    c.x = data(x, "x", x.sizes());
    c.weight = data(weight, "weight", {weight.size(0), c.out_blocks, c.in_blocks * 16, 16});
    c.style = style ? data(*style, "style", {c.num, c.in_blocks * 16}) : nullptr;
    c.taps = taps ? data(*taps, "taps", {4}) : nullptr;
    return c;
}

Activation activation(const Tensor& demod, const Tensor& bias, const Tensor& noise, double slope, double limit,
                      long num, long blocks, long height, long width) {
    TORCH_CHECK(noise.dim() == 3 && (noise.size(0) == 1 || noise.size(0) == num), "noise must be [1 or N, H, W]");
    Activation a{data(demod, "demod", {num, blocks * 16}), data(bias, "bias", {blocks * 16}),
                 data(noise, "noise", {noise.size(0), height, width}), noise.size(0) == 1 ? 0 : height * width};
    a.slope = slope, a.limit = limit;
    return a;
}

Tensor conv_forward(const Tensor& x, const Tensor& style, const Tensor& weight, const std::optional<Tensor>& taps,
                    const Tensor& demod, const Tensor& bias, const Tensor& noise, double slope, double limit) {
    const Convolution c = convolution(x, style, weight, taps);
    const long scale = taps ? 2 : 1, height = c.height * scale, width = c.width * scale;
    const Activation act = activation(demod, bias, noise, slope, limit, c.num, c.out_blocks, height, width);
    Tensor y = new_map({c.num, c.out_blocks, height, width, 16});
    (taps ? kernels().up_forward : kernels().conv_forward)(c, act, y.mutable_data_ptr<float>(), threads());
    return y;
}

// Returns the gradient of the output of the convolution that made y (of y itself without demod) and the sums.
std::tuple<Tensor, Tensor> conv_backward(
    const std::optional<Tensor>& grad, const std::optional<Tensor>& weight, const std::optional<Tensor>& taps,
    const Tensor& y, const std::optional<Tensor>& style, const std::optional<Tensor>& image_grad,
    const std::optional<Tensor>& rgb_weight, const std::optional<Tensor>& demod, const std::optional<Tensor>& bias,
    const std::optional<Tensor>& noise, double slope, double limit) {
    TORCH_CHECK(y.dim() == 5, "y must be [N, C/16, H, W, 16], got ", y.sizes());
    const long num = y.size(0), blocks = y.size(1), height = y.size(2), width = y.size(3);
    Tail tail{data(y, "y", {num, blocks, height, width, 16})};
    tail.style = style ? data(*style, "style", {num, blocks * 16}) : nullptr;
    if (image_grad) {
        tail.image_grad = data(*image_grad, "image_grad", {num, 3, height, width});
        tail.rgb_weight = data(rgb_weight.value(), "rgb_weight", {num, 3, blocks * 16});
    }
    Activation act;
    if (demod) {
        act = activation(*demod, bias.value(), noise.value(), slope, limit, num, blocks, height, width);
        tail.act = &act;
    }
    Tensor result = new_map(y.sizes()), sums = at::zeros({threads().num, NUM_SUMS, num, blocks * 16}, at::kFloat);
    tail.grad = result.mutable_data_ptr<float>();
    tail.sums = sums.mutable_data_ptr<float>();
    if (grad) {
        const Convolution c = convolution(*grad, std::nullopt, weight.value(), taps, taps ? 2 : 1);
        TORCH_CHECK(c.num == num && c.out_blocks == blocks && c.height == height && c.width == width,
                    "grad ", grad->sizes(), " does not fit y ", y.sizes());
        (taps ? kernels().up_backward : kernels().conv_backward)(c, tail, threads());
    } else {
        kernels().last_backward(num, blocks, height, width, tail, threads());
    }
    return {result, sums.sum(0)};
}

Tensor rgb_forward(const Tensor& x, const Tensor& weight) {
    TORCH_CHECK(x.dim() == 5 && x.size(4) == 16, "x must be [N, C/16, H, W, 16], got ", x.sizes());
    const long num = x.size(0), blocks = x.size(1), pixels = x.size(2) * x.size(3);
    TORCH_CHECK(pixels % 4 == 0, "the image must have a multiple of 4 pixels");
    Tensor image = at::empty({num, 3, x.size(2), x.size(3)}, at::kFloat);
    kernels().rgb_forward(num, blocks, pixels, data(x, "x", x.sizes()),
                          data(weight, "weight", {num, 3, blocks * 16}), image.mutable_data_ptr<float>(), threads());
    return image;
}

// colours [N, 3, 2H, 2W] plus the image [N, 3, H, W] enlarged.
Tensor add_enlarged(const Tensor& image, const Tensor& taps, const Tensor& colours) {
    TORCH_CHECK(image.dim() == 4, "image must be [N, 3, H, W], got ", image.sizes());
    const long num = image.size(0), channels = image.size(1), height = image.size(2), width = image.size(3);
    Tensor out = new_map({num, channels, 2 * height, 2 * width});
    kernels().add_enlarged(num * channels, height, width, data(image, "image", image.sizes()), data(taps, "taps", {4}),
                           data(colours, "colours", out.sizes()), out.mutable_data_ptr<float>(), threads());
    return out;
}

// weight [O, I, 3, 3], or for data gradients [I, O, 3, 3] with reversed taps, for tiles of `tile` x `tile` results.
Tensor prepare(const Tensor& weight, bool is_resampled, int64_t tile) {
    TORCH_CHECK(weight.dim() == 4 && weight.size(0) % 16 == 0 && weight.size(1) % 16 == 0,
                "weight must be [O, I, 3, 3] with multiples of 16 channels, got ", weight.sizes());
    TORCH_CHECK(tile == 2 || tile == 4, "tiles are 2 or 4 wide, not ", tile);
    const long out = weight.size(0), in = weight.size(1);
    const float* from = data(weight, "weight", {out, in, 3, 3});
    Tensor result = at::empty({(tile + 2) * (tile + 2), out / 16, in, 16}, at::kFloat);
    float* to = result.mutable_data_ptr<float>();
    const auto prepare = tile == 2 ? is_resampled ? prepare_block<2, true> : prepare_block<2, false>
                                   : is_resampled ? prepare_block<4, true> : prepare_block<4, false>;
    at::parallel_for(0, out / 16, 1, [&](long first, long last) {
        for (long block = first; block < last; block++) prepare(from, to, out, in, block);
    });
    return result;
}

}  // namespace

TORCH_LIBRARY(stylet2i_cpu, m) {
    m.def("conv_forward(Tensor x, Tensor style, Tensor weight, Tensor? taps, Tensor demod, Tensor bias, Tensor noise, "
          "float slope, float limit) -> Tensor", &conv_forward);
    m.def("conv_backward(Tensor? grad, Tensor? weight, Tensor? taps, Tensor y, Tensor? style, Tensor? image_grad, "
          "Tensor? rgb_weight, Tensor? demod, Tensor? bias, Tensor? noise, float slope, float limit) "
          "-> (Tensor, Tensor)", &conv_backward);
    m.def("rgb_forward(Tensor x, Tensor weight) -> Tensor", &rgb_forward);
    m.def("add_enlarged(Tensor image, Tensor taps, Tensor colours) -> Tensor", &add_enlarged);
    m.def("prepare(Tensor weight, bool is_resampled, int tile) -> Tensor", &prepare);
    m.def("release_memory() -> ()", [] { kept_memory().release(); });
    m.def("instruction_set() -> str", [] { return chosen; });
    m.def("use_instruction_set(str name) -> ()", &use_instruction_set);
}

// torch.classes.lacuna.{Conv, Linear, Gru} and torch.ops.lacuna.{conv2d, conv3d, linear, gru, max_pool2d}.

#include <ATen/ATen.h>
#include <torch/custom_class.h>
#include <torch/library.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "layer.h"
#include "max_pool.h"
#include "output_memory.h"

namespace lacuna_torch {

namespace {

using Ints = std::vector<int64_t>;
using Doubles = std::vector<double>;

lacuna_run_args ArgsFor(size_t workspace_bytes, const lacuna_executor& executor) {
  auto args = Sized<lacuna_run_args>();
  args.workspace = Workspace(workspace_bytes);
  args.workspace_bytes = workspace_bytes;
  args.executor = &executor;
  return args;
}

template <class Handle>
std::string Explain(const Handle* plan, size_t (*explain)(const Handle*, char*, size_t)) {
  TORCH_CHECK(plan != nullptr, "lacuna: the layer has no plan before its first run");
  std::string text(explain(plan, nullptr, 0) + 1, '\0');
  explain(plan, &text[0], text.size());
  text.pop_back();
  return text;
}

// A convolution of 1 to 3 spatial axes.
class Conv : public torch::CustomClassHolder {
 public:
  // What def_pickle stores: weights, bias (empty if none), extents, activation, its numbers.
  using State = std::tuple<Tensor, Tensor, Ints, std::string, Doubles>;

  // `kernel`, `stride`, `dilation`: a value an axis; `padding`: begins, then ends.
  Conv(Weights weights, Output output, Ints kernel, Ints stride, Ints padding, Ints dilation, bool winograd)
      : weights_(std::move(weights)),
        output_(std::move(output)),
        kernel_(std::move(kernel)),
        stride_(std::move(stride)),
        padding_(std::move(padding)),
        dilation_(std::move(dilation)),
        winograd_(winograd) {
    TORCH_CHECK(rank() >= 1 && rank() <= 3, "lacuna: a convolution has ", rank(), " spatial axes, must have 1 to 3");
    TORCH_CHECK(stride_.size() == rank() && dilation_.size() == rank() && padding_.size() == 2 * rank(),
                "lacuna: stride, dilation and padding have ", stride_.size(), ", ", dilation_.size(), " and ",
                padding_.size(), " values, must have ", rank(), ", ", rank(), " and ", 2 * rank());
  }

  size_t rank() const { return kernel_.size(); }

  Tensor Run(const char* op, size_t rank, const Tensor& input, const c10::optional<Tensor>& residual) {
    CheckInput(op, input);
    TORCH_CHECK(this->rank() == rank && input.dim() == static_cast<int64_t>(rank) + 2, "lacuna::", op,
                ": the input has ", input.dim(), " axes and the layer ", this->rank(), " spatial ones, must have ",
                rank + 2, " and ", rank);
    const Tensor x = WithStrides(input);
    const bool adds = residual.has_value();
    Ints key(x.sizes().begin() + 2, x.sizes().end());
    key.push_back(x.size(0));
    key.push_back(adds);
    const lacuna_conv* plan = plans_.For(key, [&] { return MakePlan(x.sizes(), adds); });
    Ints extent(rank + 2);
    Check(lacuna_conv_output(plan, extent.data()));
    Tensor y = EmptyOutput(extent, x.options(), x.suggest_memory_format());
    const lacuna_tensor x_view = ViewOf(x), y_view = ViewOf(y);
    const lacuna_executor threads = TorchThreads();
    lacuna_run_args args = ArgsFor(lacuna_conv_workspace_bytes(plan, threads.concurrency), threads);
    Tensor added;
    lacuna_tensor added_view;
    if (adds) {
      CheckInput(op, *residual);
      added = WithStrides(*residual);
      added_view = ViewOf(added);
      args.residual = &added_view;
    }
    Check(lacuna_conv_run(plan, &x_view, &y_view, &args));
    return y;
  }

  std::string Explain() const { return lacuna_torch::Explain(plans_.First(), &lacuna_conv_explain); }
  int64_t Stored() const { return weights_.Describe().nnz; }

  State GetState() const {
    Ints ints{static_cast<int64_t>(rank()), winograd_};
    for (const Ints* values : {&kernel_, &stride_, &padding_, &dilation_}) {
      ints.insert(ints.end(), values->begin(), values->end());
    }
    return {weights_.Blob(),
            output_.bias.defined() ? output_.bias : at::empty({0}),
            ints,
            output_.activation,
            {output_.low, output_.high, output_.slope}};
  }
  static c10::intrusive_ptr<Conv> FromState(const State& state) {
    const auto& [blob, bias, ints, activation, numbers] = state;
    TORCH_CHECK(ints.size() >= 2 && ints[0] >= 1 && ints[0] <= 3 &&
                    static_cast<int64_t>(ints.size()) == 2 + 5 * ints[0] && numbers.size() == 3,
                "lacuna: the state is not that of a convolution");
    Weights weights = Weights::FromBlob(blob);
    const int64_t rows = weights.Describe().rows;
    const auto part = [&, at = size_t{2}](int64_t count) mutable {
      const size_t begin = std::exchange(at, at + static_cast<size_t>(count));
      return Ints(ints.begin() + static_cast<long>(begin), ints.begin() + static_cast<long>(at));
    };
    auto next = part;
    const int64_t rank = ints[0];
    Ints kernel = next(rank), stride = next(rank), padding = next(2 * rank), dilation = next(rank);
    return c10::make_intrusive<Conv>(
        std::move(weights), Output::Of(bias, rows, activation, numbers[0], numbers[1], numbers[2]), std::move(kernel),
        std::move(stride), std::move(padding), std::move(dilation), ints[1] != 0);
  }

 private:
  // Plans but the first share its packed weights, unless that is without the residual that they have, or with it.
  Owned<lacuna_conv> MakePlan(at::IntArrayRef extents, bool residual) {
    lacuna_conv* plan = nullptr;
    const size_t base = residual ? 1 : 0;
    if (base_[base] != nullptr) {
      Check(lacuna_conv_reshape(base_[base], extents[0], extents.data() + 2, &plan));
      return Owned<lacuna_conv>(plan);
    }
    const lacuna_weights_info info = weights_.Describe();
    auto shape = Sized<lacuna_conv_shape>();
    shape.rank = static_cast<int64_t>(rank());
    shape.batch = extents[0];
    shape.groups = info.groups;
    shape.out_channels = info.rows;
    int64_t taps = 1;
    for (const int64_t extent : kernel_) taps *= extent;
    TORCH_CHECK(taps > 0 && info.columns % taps == 0, "lacuna: kernels of ", taps, " cells do not divide the ",
                info.columns, " columns of the weights");
    shape.in_channels = info.columns / taps * info.groups;
    TORCH_CHECK(shape.in_channels == extents[1], "lacuna: the input has ", extents[1], " channels, must have ",
                shape.in_channels);
    for (size_t axis = 0; axis < rank(); ++axis) {
      shape.input[axis] = extents[axis + 2];
      shape.kernel[axis] = kernel_[axis];
      shape.stride[axis] = stride_[axis];
      shape.dilation[axis] = dilation_[axis];
      shape.pad_begin[axis] = padding_[axis];
      shape.pad_end[axis] = padding_[axis + rank()];
    }
    const lacuna_epilogue epilogue = output_.Epilogue(residual);
    auto options = Sized<lacuna_plan_options>();
    options.winograd = winograd_;
    Check(lacuna_conv_create(weights_.get(), &shape, &epilogue, &options, &plan));
    base_[base] = plan;  // kept by plans_ from here on
    return Owned<lacuna_conv>(plan);
  }

  Weights weights_;
  Output output_;
  Ints kernel_, stride_, padding_, dilation_;
  bool winograd_;
  Plans<lacuna_conv> plans_;
  const lacuna_conv* base_[2] = {nullptr, nullptr};
};

// y[..., M] = activation(x[..., K] W^T + bias)
class Linear : public torch::CustomClassHolder {
 public:
  using State = std::tuple<Tensor, Tensor, std::string, Doubles>;

  Linear(Weights weights, Output output)
      : weights_(std::move(weights)), output_(std::move(output)), info_(weights_.Describe()) {}

  Tensor Run(const Tensor& input) {
    CheckInput("linear", input);
    TORCH_CHECK(input.dim() >= 1 && input.size(-1) == info_.columns, "lacuna::linear: the input has the extents ",
                input.sizes(), ", the last one must be ", info_.columns);
    Tensor x = input.reshape({-1, info_.columns});
    if (x.stride(1) != 1 || x.stride(0) < x.size(1)) x = x.contiguous();
    Ints extents = input.sizes().vec();
    extents.back() = info_.rows;
    const int64_t n = x.size(0);
    Tensor y = EmptyOutput({n, info_.rows}, x.options());
    if (n == 0) return y.view(extents);
    lacuna_tensor x_view = ViewOf(x, {1, 0});
    const lacuna_tensor y_view = ViewOf(y, {1, 0});
    if (n == 1) x_view.stride[1] = info_.columns;
    const lacuna_executor threads = TorchThreads();
    const lacuna_epilogue epilogue = output_.Epilogue(false);
    if (n <= kFewRows) {
      const lacuna_gemv* plan = gemvs_.For({}, [&] {
        lacuna_gemv* made = nullptr;
        Check(lacuna_gemv_create(weights_.get(), &epilogue, &made));
        return Owned<lacuna_gemv>(made);
      });
      const lacuna_run_args args = ArgsFor(lacuna_gemv_workspace_bytes(plan, threads.concurrency, n), threads);
      Check(lacuna_gemv_run(plan, &x_view, &y_view, &args));
      return y.view(extents);
    }
    int64_t most = 2 * kFewRows;  // plans are made for powers of two
    while (most < n) most *= 2;
    const lacuna_gemm* plan = gemms_.For({most}, [&] {
      lacuna_gemm* made = nullptr;
      if (const lacuna_gemm* first = gemms_.First()) {
        Check(lacuna_gemm_reshape(first, most, &made));
      } else {
        Check(lacuna_gemm_create(weights_.get(), most, &epilogue, nullptr, &made));
      }
      return Owned<lacuna_gemm>(made);
    });
    const lacuna_run_args args = ArgsFor(lacuna_gemm_workspace_bytes(plan, threads.concurrency), threads);
    Check(lacuna_gemm_run(plan, &x_view, &y_view, &args));
    return y.view(extents);
  }

  int64_t Stored() const { return info_.nnz; }

  State GetState() const {
    return {weights_.Blob(),
            output_.bias.defined() ? output_.bias : at::empty({0}),
            output_.activation,
            {output_.low, output_.high, output_.slope}};
  }
  static c10::intrusive_ptr<Linear> FromState(const State& state) {
    const auto& [blob, bias, activation, numbers] = state;
    TORCH_CHECK(numbers.size() == 3, "lacuna: the state is not that of a linear layer");
    Weights weights = Weights::FromBlob(blob);
    const int64_t rows = weights.Describe().rows;
    return c10::make_intrusive<Linear>(std::move(weights),
                                       Output::Of(bias, rows, activation, numbers[0], numbers[1], numbers[2]));
  }

 private:
  static constexpr int64_t kFewRows = 4;  // that a product with vectors is for

  Weights weights_;
  Output output_;
  lacuna_weights_info info_;
  Plans<lacuna_gemv> gemvs_;
  Plans<lacuna_gemm> gemms_;
};

// A layer of torch.nn.GRU, of one direction or two: gates in the order r, z, n.
class Gru : public torch::CustomClassHolder {
 public:
  using State = std::tuple<std::vector<Tensor>, Tensor>;

  // Of each direction W and R, gates in ONNX's order; `bias` [directions][2][3 * hidden] or empty.
  Gru(std::vector<Weights> w, std::vector<Weights> r, Tensor bias)
      : w_(std::move(w)), r_(std::move(r)), bias_(std::move(bias)) {
    TORCH_CHECK(!w_.empty() && w_.size() <= 2 && w_.size() == r_.size(), "lacuna: a GRU has ", w_.size(), " and ",
                r_.size(), " directions of weights, must have 1 or 2 of both");
    input_ = w_[0].Describe().columns;
    hidden_ = r_[0].Describe().columns;
  }

  // x [time, batch, input], h [directions, batch, hidden]: y [time, batch, directions * hidden] and the last h.
  std::tuple<Tensor, Tensor> Run(const Tensor& input, const Tensor& state) {
    CheckInput("gru", input);
    CheckInput("gru", state);
    const auto directions = static_cast<int64_t>(w_.size());
    TORCH_CHECK(input.dim() == 3 && input.size(2) == input_, "lacuna::gru: the input has the extents ", input.sizes(),
                ", must have 3, the last one ", input_);
    const int64_t time = input.size(0), batch = input.size(1);
    Tensor x = WithStrides(input);
    if (x.stride(2) != 1) x = x.contiguous();
    TORCH_CHECK(state.sizes() == at::IntArrayRef({directions, batch, hidden_}), "lacuna::gru: h has the extents ",
                state.sizes(), ", must have [", directions, ", ", batch, ", ", hidden_, "]");
    Tensor h = state.clone(at::MemoryFormat::Contiguous);
    Tensor y = EmptyOutput({time, batch, directions * hidden_}, x.options());
    const lacuna_recurrent* plan = plans_.For({batch}, [&] { return MakePlan(batch); });
    const Tensor by_direction = y.view({time, batch, directions, hidden_});
    const lacuna_tensor x_view = ViewOf(x), y_view = ViewOf(by_direction, {0, 2, 1, 3}), h_view = ViewOf(h);
    const lacuna_executor threads = TorchThreads();
    const lacuna_run_args args = ArgsFor(lacuna_recurrent_workspace_bytes(plan, threads.concurrency), threads);
    Check(lacuna_recurrent_run(plan, &x_view, &y_view, &h_view, nullptr, &args));
    return {y, h};
  }

  int64_t Stored() const {
    int64_t stored = 0;
    for (size_t d = 0; d < w_.size(); ++d) stored += w_[d].Describe().nnz + r_[d].Describe().nnz;
    return stored;
  }

  State GetState() const {
    std::vector<Tensor> blobs;
    for (size_t d = 0; d < w_.size(); ++d) {
      blobs.push_back(w_[d].Blob());
      blobs.push_back(r_[d].Blob());
    }
    return {blobs, bias_};
  }
  static c10::intrusive_ptr<Gru> FromState(const State& state) {
    const auto& [blobs, bias] = state;
    TORCH_CHECK(blobs.size() == 2 || blobs.size() == 4, "lacuna: the state is not that of a GRU");
    std::vector<Weights> w, r;
    for (size_t i = 0; i < blobs.size(); i += 2) {
      w.push_back(Weights::FromBlob(blobs[i]));
      r.push_back(Weights::FromBlob(blobs[i + 1]));
    }
    return c10::make_intrusive<Gru>(std::move(w), std::move(r), bias);
  }

 private:
  Owned<lacuna_recurrent> MakePlan(int64_t batch) const {
    const lacuna_weights *w[2] = {}, *r[2] = {};
    for (size_t d = 0; d < w_.size(); ++d) {
      w[d] = w_[d].get();
      r[d] = r_[d].get();
    }
    auto options = Sized<lacuna_recurrent_options>();
    options.cell = LACUNA_GRU;
    options.direction = w_.size() == 2 ? LACUNA_BIDIRECTIONAL : LACUNA_FORWARD;
    options.linear_before_reset = 1;
    options.batch = batch;
    if (bias_.numel() > 0) {
      options.bias = bias_.data_ptr<float>();
      options.bias_count = static_cast<size_t>(bias_.numel());
    }
    lacuna_recurrent* layer = nullptr;
    Check(lacuna_recurrent_create(w, r, w_.size(), &options, nullptr, &layer));
    return Owned<lacuna_recurrent>(layer);
  }

  std::vector<Weights> w_, r_;
  Tensor bias_;
  int64_t input_, hidden_;
  Plans<lacuna_recurrent> plans_;
};

// r, z, n of PyTorch as z, r, h of ONNX.
Tensor GatesAsOnnx(const Tensor& stacked) {
  TORCH_CHECK(stacked.dim() >= 1 && stacked.size(0) % 3 == 0, "lacuna: gates are stacked in ",
              stacked.dim() == 0 ? 0 : stacked.size(0), " rows, must be a multiple of 3");
  const std::vector<Tensor> gates = stacked.detach().chunk(3, 0);
  return at::cat({gates[1], gates[0], gates[2]}, 0).contiguous();
}

// `weights`: of each direction weight_ih, weight_hh; `biases`: of each bias_ih, bias_hh, or none.
c10::intrusive_ptr<Gru> MakeGru(const std::vector<Tensor>& weights, const std::vector<Tensor>& biases,
                                const std::string& scheme, bool prune) {
  TORCH_CHECK(weights.size() % 2 == 0, "lacuna: a GRU has ", weights.size(), " weights, must have 2 a direction");
  std::vector<Weights> w, r;
  for (size_t i = 0; i < weights.size(); i += 2) {
    w.push_back(Weights::Of(GatesAsOnnx(weights[i]), scheme, prune, 1));
    r.push_back(Weights::Of(GatesAsOnnx(weights[i + 1]), scheme, prune, 1));
  }
  Tensor bias = at::empty({0});
  if (!biases.empty()) {
    std::vector<Tensor> parts;
    for (const Tensor& part : biases) parts.push_back(GatesAsOnnx(part.to(at::kFloat)));
    bias = at::cat(parts, 0).contiguous();
  }
  return c10::make_intrusive<Gru>(std::move(w), std::move(r), bias);
}

c10::intrusive_ptr<Conv> MakeConv(const Tensor& weight, const c10::optional<Tensor>& bias, const std::string& scheme,
                                  bool prune, const Ints& stride, const Ints& padding, const Ints& dilation,
                                  int64_t groups, const std::string& activation, const Doubles& numbers,
                                  bool winograd) {
  TORCH_CHECK(numbers.size() == 3, "lacuna: an activation has ", numbers.size(),
              " numbers, must have low, high, slope");
  TORCH_CHECK(weight.dim() >= 3, "lacuna: weights have ", weight.dim(), " axes, must have at least 3");
  return c10::make_intrusive<Conv>(Weights::Of(weight, scheme, prune, groups),
                                   Output::Of(bias, weight.size(0), activation, numbers[0], numbers[1], numbers[2]),
                                   Ints(weight.sizes().begin() + 2, weight.sizes().end()), stride, padding, dilation,
                                   winograd);
}

c10::intrusive_ptr<Linear> MakeLinear(const Tensor& weight, const c10::optional<Tensor>& bias,
                                      const std::string& scheme, bool prune, const std::string& activation,
                                      const Doubles& numbers) {
  TORCH_CHECK(numbers.size() == 3, "lacuna: an activation has ", numbers.size(),
              " numbers, must have low, high, slope");
  TORCH_CHECK(weight.dim() == 2, "lacuna: weights have ", weight.dim(), " axes, must have 2");
  return c10::make_intrusive<Linear>(Weights::Of(weight, scheme, prune, 1),
                                     Output::Of(bias, weight.size(0), activation, numbers[0], numbers[1], numbers[2]));
}

Tensor Conv2d(const Tensor& x, const c10::intrusive_ptr<Conv>& layer, const c10::optional<Tensor>& residual) {
  return layer->Run("conv2d", 2, x, residual);
}
Tensor Conv3d(const Tensor& x, const c10::intrusive_ptr<Conv>& layer, const c10::optional<Tensor>& residual) {
  return layer->Run("conv3d", 3, x, residual);
}
Tensor RunLinear(const Tensor& x, const c10::intrusive_ptr<Linear>& layer) { return layer->Run(x); }
std::tuple<Tensor, Tensor> RunGru(const Tensor& x, const Tensor& h, const c10::intrusive_ptr<Gru>& layer) {
  return layer->Run(x, h);
}

// What TorchScript and state dicts store.
template <class Layer>
void DefineState(torch::class_<Layer>& of) {
  of.def("state", [](const c10::intrusive_ptr<Layer>& layer) { return layer->GetState(); });
  of.def_pickle([](const c10::intrusive_ptr<Layer>& layer) { return layer->GetState(); },
                [](typename Layer::State state) { return Layer::FromState(state); });
}

c10::intrusive_ptr<Conv> ConvOf(const Tensor& blob, const Tensor& bias, const Ints& extents,
                                const std::string& activation, const Doubles& numbers) {
  return Conv::FromState({blob, bias, extents, activation, numbers});
}
c10::intrusive_ptr<Linear> LinearOf(const Tensor& blob, const Tensor& bias, const std::string& activation,
                                    const Doubles& numbers) {
  return Linear::FromState({blob, bias, activation, numbers});
}
c10::intrusive_ptr<Gru> GruOf(const std::vector<Tensor>& blobs, const Tensor& bias) {
  return Gru::FromState({blobs, bias});
}

}  // namespace

TORCH_LIBRARY(lacuna, m) {
  auto conv = m.class_<Conv>("Conv");
  conv.def(torch::init(&MakeConv));
  conv.def("explain", [](const c10::intrusive_ptr<Conv>& layer) { return layer->Explain(); });
  conv.def("stored", [](const c10::intrusive_ptr<Conv>& layer) { return layer->Stored(); });
  // The operators as methods: calls from Python are quicker, but torch.jit.trace does not see them.
  conv.def("run", [](const c10::intrusive_ptr<Conv>& layer, const Tensor& x, const c10::optional<Tensor>& residual) {
    return layer->rank() == 3 ? Conv3d(x, layer, residual) : Conv2d(x, layer, residual);
  });
  DefineState(conv);
  auto linear = m.class_<Linear>("Linear");
  linear.def(torch::init(&MakeLinear));
  linear.def("stored", [](const c10::intrusive_ptr<Linear>& layer) { return layer->Stored(); });
  linear.def("run", [](const c10::intrusive_ptr<Linear>& layer, const Tensor& x) { return RunLinear(x, layer); });
  DefineState(linear);
  auto gru = m.class_<Gru>("Gru");
  gru.def(torch::init(&MakeGru));
  gru.def("stored", [](const c10::intrusive_ptr<Gru>& layer) { return layer->Stored(); });
  gru.def("run",
          [](const c10::intrusive_ptr<Gru>& layer, const Tensor& x, const Tensor& h) { return RunGru(x, h, layer); });
  DefineState(gru);

  m.def("conv2d(Tensor x, __torch__.torch.classes.lacuna.Conv layer, Tensor? residual=None) -> Tensor");
  m.def("conv3d(Tensor x, __torch__.torch.classes.lacuna.Conv layer, Tensor? residual=None) -> Tensor");
  m.def("linear(Tensor x, __torch__.torch.classes.lacuna.Linear layer) -> Tensor");
  m.def("gru(Tensor x, Tensor h, __torch__.torch.classes.lacuna.Gru layer) -> (Tensor, Tensor)");
  m.def("max_pool2d(Tensor x, int[] kernel, int[] stride, int[] padding) -> Tensor");
  // Of what the method state() of a layer gives.
  m.def("conv_of", &ConvOf);
  m.def("linear_of", &LinearOf);
  m.def("gru_of", &GruOf);
}

TORCH_LIBRARY_IMPL(lacuna, CPU, m) {
  m.impl("conv2d", &Conv2d);
  m.impl("conv3d", &Conv3d);
  m.impl("linear", &RunLinear);
  m.impl("gru", &RunGru);
  m.impl("max_pool2d", [](const Tensor& x, at::IntArrayRef kernel, at::IntArrayRef stride, at::IntArrayRef padding) {
    return MaxPool2d(x, kernel.vec(), stride.vec(), padding.vec());
  });
}

}  // namespace lacuna_torch

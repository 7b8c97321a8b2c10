#include "kernels.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "node.h"

namespace lacuna_ort {

namespace {

Status* Wrong(const Engine& engine, const char* op, const std::string& what) {
  return engine.Failure(("lacuna." + std::string(op) + ": " + what).c_str());
}

class Conv : public Kernel {
 public:
  using Kernel::Kernel;

  Status* Init(const Node& node) {
    Tensor w, b;
    LACUNA_ORT_RETURN(node.Constant(1, "W", /*optional=*/false, w));
    LACUNA_ORT_RETURN(node.Constant(2, "B", /*optional=*/true, b));
    const size_t rank = w.extents.size() < 2 ? 0 : w.extents.size() - 2;
    if (rank < 1 || rank > 3) return Wrong(engine_, "Conv", "W must have 1 to 3 spatial axes");
    std::string scheme = "dense";
    Ints strides(rank, 1), dilations(rank, 1), pads(2 * rank, 0);
    node.Read("scheme", scheme);
    node.Read("strides", strides);
    node.Read("dilations", dilations);
    node.Read("pads", pads);
    shape_ = Sized<lacuna_conv_shape>();
    shape_.groups = 1;
    node.Read("group", shape_.groups);
    if (strides.size() != rank || dilations.size() != rank || pads.size() != 2 * rank) {
      return Wrong(engine_, "Conv", "strides, dilations and pads must have a value for each spatial axis");
    }
    if (shape_.groups < 1) return Wrong(engine_, "Conv", "group must be at least 1");
    shape_.rank = static_cast<int64_t>(rank);
    shape_.out_channels = w.extents[0];
    shape_.in_channels = w.extents[1] * shape_.groups;
    auto matrix = Sized<lacuna_matrix>();
    matrix.rows = w.extents[0];
    matrix.groups = shape_.groups;
    matrix.taps = 1;
    for (size_t axis = 0; axis < rank; ++axis) {
      shape_.kernel[axis] = w.extents[axis + 2];
      shape_.stride[axis] = strides[axis];
      shape_.dilation[axis] = dilations[axis];
      shape_.pad_begin[axis] = pads[axis];
      shape_.pad_end[axis] = pads[axis + rank];
      matrix.taps *= w.extents[axis + 2];
    }
    matrix.columns = w.extents[1] * matrix.taps;
    output_.Read(node);
    if (b.is_there()) output_.bias.assign(b.floats(), b.floats() + b.elements());
    lacuna_epilogue unused;
    LACUNA_ORT_RETURN(output_.Epilogue(engine_, shape_.out_channels, unused));
    return Cover(engine_, w.floats(), matrix, scheme, weights_);
  }

  Status* Compute(KernelContext* context) override {
    const Run run(engine_, context);
    Tensor x, y;
    LACUNA_ORT_RETURN(run.Input(0, kFloat, x));
    if (x.extents.size() != static_cast<size_t>(shape_.rank) + 2) {
      return Wrong(engine_, "Conv",
                   "X has " + std::to_string(x.extents.size()) + " axes, must have " + std::to_string(shape_.rank + 2));
    }
    const lacuna_conv* plan = nullptr;
    const auto make = [&](const lacuna_conv* first, lacuna_conv** made) { return MakePlan(x.extents, first, made); };
    LACUNA_ORT_RETURN(plans_.For(x.extents, make, plan));
    Ints extents(x.extents.size());
    LACUNA_ORT_RETURN(Check(engine_, lacuna_conv_output(plan, extents.data())));
    LACUNA_ORT_RETURN(run.Output(0, extents, y));
    const lacuna_tensor x_view = ViewOf(x), y_view = ViewOf(y);
    const lacuna_executor threads = run.Threads();
    const lacuna_run_args args = Run::Args(lacuna_conv_workspace_bytes(plan, threads.concurrency), threads);
    return Check(engine_, lacuna_conv_run(plan, &x_view, &y_view, &args));
  }

 private:
  Status* MakePlan(const Ints& extents, const lacuna_conv* first, lacuna_conv** made) const {
    if (first != nullptr) {
      return Check(engine_, lacuna_conv_reshape(first, extents[0], extents.data() + 2, made));
    }
    lacuna_conv_shape shape = shape_;
    shape.batch = extents[0];
    if (extents[1] != shape.in_channels) {
      return Wrong(engine_, "Conv",
                   "X has " + std::to_string(extents[1]) + " channels, must have " + std::to_string(shape.in_channels));
    }
    std::copy(extents.begin() + 2, extents.end(), shape.input);
    lacuna_epilogue epilogue;
    LACUNA_ORT_RETURN(output_.Epilogue(engine_, shape.out_channels, epilogue));
    auto options = Sized<lacuna_plan_options>();
    options.winograd = 1;
    return Check(engine_, lacuna_conv_create(weights_.get(), &shape, &epilogue, &options, made));
  }

  lacuna_conv_shape shape_{};
  Owned<lacuna_weights> weights_;
  Output output_;
  Plans<lacuna_conv> plans_;
};

class Gemm : public Kernel {
 public:
  using Kernel::Kernel;

  Status* Init(const Node& node) {
    Tensor w, b;
    LACUNA_ORT_RETURN(node.Constant(1, "W", /*optional=*/false, w));
    LACUNA_ORT_RETURN(node.Constant(2, "B", /*optional=*/true, b));
    if (w.extents.size() != 2) return Wrong(engine_, "Gemm", "W must have 2 axes");
    int64_t is_rows = 0;
    float alpha = 1.0f, beta = 1.0f;
    std::string scheme = "dense";
    node.Read("transB", is_rows);
    node.Read("alpha", alpha);
    node.Read("beta", beta);
    node.Read("scheme", scheme);
    rows_ = w.extents[is_rows != 0 ? 0 : 1];
    columns_ = w.extents[is_rows != 0 ? 1 : 0];
    std::vector<float> dense(static_cast<size_t>(w.elements()));
    for (int64_t r = 0; r < rows_; ++r) {
      for (int64_t c = 0; c < columns_; ++c) {
        dense[static_cast<size_t>(r * columns_ + c)] =
            alpha * w.floats()[is_rows != 0 ? r * columns_ + c : c * rows_ + r];
      }
    }
    output_.Read(node);
    if (b.is_there()) {
      output_.bias.assign(b.floats(), b.floats() + b.elements());
      for (float& value : output_.bias) value *= beta;
    }
    lacuna_epilogue unused;
    LACUNA_ORT_RETURN(output_.Epilogue(engine_, rows_, unused));
    auto matrix = Sized<lacuna_matrix>();
    matrix.rows = rows_;
    matrix.columns = columns_;
    return Cover(engine_, dense.data(), matrix, scheme, weights_);
  }

  Status* Compute(KernelContext* context) override {
    const Run run(engine_, context);
    Tensor x, y;
    LACUNA_ORT_RETURN(run.Input(0, kFloat, x));
    if (x.extents.empty() || x.extents.back() != columns_) {
      return Wrong(engine_, "Gemm", "the last axis of A must have the extent " + std::to_string(columns_));
    }
    Ints extents = x.extents;
    extents.back() = rows_;
    LACUNA_ORT_RETURN(run.Output(0, extents, y));
    int64_t n = 1;
    for (size_t axis = 0; axis + 1 < extents.size(); ++axis) n *= extents[axis];
    if (n == 0) return nullptr;
    const lacuna_tensor x_view = Columns(x, columns_, n), y_view = Columns(y, rows_, n);
    const lacuna_executor threads = run.Threads();
    if (n <= kFewRows) {
      const lacuna_gemv* plan = nullptr;
      const auto make = [&](const lacuna_gemv*, lacuna_gemv** made) {
        lacuna_epilogue epilogue;
        LACUNA_ORT_RETURN(output_.Epilogue(engine_, rows_, epilogue));
        return Check(engine_, lacuna_gemv_create(weights_.get(), &epilogue, made));
      };
      LACUNA_ORT_RETURN(gemvs_.For({}, make, plan));
      const lacuna_run_args args = Run::Args(lacuna_gemv_workspace_bytes(plan, threads.concurrency, n), threads);
      return Check(engine_, lacuna_gemv_run(plan, &x_view, &y_view, &args));
    }
    int64_t most = 2 * kFewRows;  // plans are made for powers of two
    while (most < n) most *= 2;
    const lacuna_gemm* plan = nullptr;
    const auto make = [&](const lacuna_gemm* first, lacuna_gemm** made) {
      if (first != nullptr) return Check(engine_, lacuna_gemm_reshape(first, most, made));
      lacuna_epilogue epilogue;
      LACUNA_ORT_RETURN(output_.Epilogue(engine_, rows_, epilogue));
      return Check(engine_, lacuna_gemm_create(weights_.get(), most, &epilogue, nullptr, made));
    };
    LACUNA_ORT_RETURN(gemms_.For({most}, make, plan));
    const lacuna_run_args args = Run::Args(lacuna_gemm_workspace_bytes(plan, threads.concurrency), threads);
    return Check(engine_, lacuna_gemm_run(plan, &x_view, &y_view, &args));
  }

 private:
  static constexpr int64_t kFewRows = 4;  // that a product with vectors is for

  // Rows in memory as the columns that lacuna multiplies.
  static lacuna_tensor Columns(const Tensor& tensor, int64_t rows, int64_t n) {
    auto view = Sized<lacuna_tensor>();
    view.data = tensor.floats();
    view.rank = 2;
    view.extent[0] = rows;
    view.extent[1] = n;
    view.stride[0] = 1;
    view.stride[1] = rows;
    return view;
  }

  int64_t rows_ = 0, columns_ = 0;
  Owned<lacuna_weights> weights_;
  Output output_;
  Plans<lacuna_gemv> gemvs_;
  Plans<lacuna_gemm> gemms_;
};

class Gru : public Kernel {
 public:
  using Kernel::Kernel;

  Status* Init(const Node& node) {
    Tensor w, r, b;
    LACUNA_ORT_RETURN(node.Constant(1, "W", /*optional=*/false, w));
    LACUNA_ORT_RETURN(node.Constant(2, "R", /*optional=*/false, r));
    LACUNA_ORT_RETURN(node.Constant(3, "B", /*optional=*/true, b));
    std::string direction = "forward", scheme = "dense", recurrent_scheme = "dense";
    int64_t before_reset = 0;
    node.Read("direction", direction);
    node.Read("linear_before_reset", before_reset);
    node.Read("scheme", scheme);
    node.Read("recurrent_scheme", recurrent_scheme);
    if (direction != "forward" && direction != "reverse" && direction != "bidirectional") {
      return Wrong(engine_, "GRU", "direction is \"" + direction + "\", must be forward, reverse or bidirectional");
    }
    options_ = Sized<lacuna_recurrent_options>();
    options_.cell = LACUNA_GRU;
    options_.direction = direction == "forward"   ? LACUNA_FORWARD
                         : direction == "reverse" ? LACUNA_REVERSE
                                                  : LACUNA_BIDIRECTIONAL;
    options_.linear_before_reset = before_reset != 0;
    const int64_t directions = direction == "bidirectional" ? 2 : 1;
    if (w.extents.size() != 3 || r.extents.size() != 3 || w.extents[0] != directions || r.extents[0] != directions) {
      return Wrong(engine_, "GRU", "W and R must have 3 axes, the first of extent " + std::to_string(directions));
    }
    input_ = w.extents[2];
    hidden_ = r.extents[2];
    if (w.extents[1] != 3 * hidden_ || r.extents[1] != 3 * hidden_) {
      return Wrong(engine_, "GRU", "W and R must have 3 * hidden_size rows, " + std::to_string(3 * hidden_));
    }
    if (b.is_there()) bias_.assign(b.floats(), b.floats() + b.elements());
    for (int64_t d = 0; d < directions; ++d) {
      w_.emplace_back();
      r_.emplace_back();
      LACUNA_ORT_RETURN(CoverDirection(w, d, scheme, w_.back()));
      LACUNA_ORT_RETURN(CoverDirection(r, d, recurrent_scheme, r_.back()));
    }
    return nullptr;
  }

  Status* Compute(KernelContext* context) override {
    const Run run(engine_, context);
    Tensor x, lengths, initial, y, last;
    LACUNA_ORT_RETURN(run.Input(0, kFloat, x));
    LACUNA_ORT_RETURN(run.Input(4, kInt32, lengths));
    LACUNA_ORT_RETURN(run.Input(5, kFloat, initial));
    if (x.extents.size() != 3 || x.extents[2] != input_) {
      return Wrong(engine_, "GRU", "X must be [time, batch, " + std::to_string(input_) + "]");
    }
    const int64_t time = x.extents[0], batch = x.extents[1], directions = static_cast<int64_t>(w_.size());
    const Ints state_extents = {directions, batch, hidden_};
    if (initial.is_there() && initial.extents != state_extents) {
      return Wrong(engine_, "GRU", "initial_h must be [directions, batch, hidden_size]");
    }
    LACUNA_ORT_RETURN(run.Output(0, {time, directions, batch, hidden_}, y));
    LACUNA_ORT_RETURN(run.Output(1, state_extents, last));
    std::vector<float> scratch;  // where the model has no use for the last state
    if (!last.is_there()) {
      scratch.resize(static_cast<size_t>(directions * batch * hidden_));
      last.data = scratch.data();
      last.extents = state_extents;
    }
    if (initial.is_there()) {
      std::copy_n(initial.floats(), initial.elements(), last.floats());
    } else {
      std::fill_n(last.floats(), last.elements(), 0.0f);
    }
    const lacuna_recurrent* plan = nullptr;
    const auto make = [&](const lacuna_recurrent*, lacuna_recurrent** made) {
      lacuna_recurrent_options options = options_;
      options.batch = batch;
      options.steps = std::min<int64_t>(time, 256);
      options.bias = bias_.empty() ? nullptr : bias_.data();
      options.bias_count = bias_.size();
      const lacuna_weights *w[2] = {}, *r[2] = {};
      for (size_t d = 0; d < w_.size(); ++d) {
        w[d] = w_[d].get();
        r[d] = r_[d].get();
      }
      return Check(engine_, lacuna_recurrent_create(w, r, w_.size(), &options, nullptr, made));
    };
    LACUNA_ORT_RETURN(plans_.For({batch, std::min<int64_t>(time, 256)}, make, plan));
    const lacuna_tensor x_view = ViewOf(x), h_view = ViewOf(last);
    const lacuna_tensor y_view = y.is_there() ? ViewOf(y) : lacuna_tensor{};
    const lacuna_executor threads = run.Threads();
    lacuna_run_args args = Run::Args(lacuna_recurrent_workspace_bytes(plan, threads.concurrency), threads);
    if (lengths.is_there()) {
      args.lengths = static_cast<const int32_t*>(lengths.data);
      args.length_count = static_cast<size_t>(lengths.elements());
    }
    return Check(engine_,
                 lacuna_recurrent_run(plan, &x_view, y.is_there() ? &y_view : nullptr, &h_view, nullptr, &args));
  }

 private:
  Status* CoverDirection(const Tensor& of, int64_t direction, const std::string& scheme,
                         Owned<lacuna_weights>& weights) const {
    auto matrix = Sized<lacuna_matrix>();
    matrix.rows = of.extents[1];
    matrix.columns = of.extents[2];
    return Cover(engine_, of.floats() + direction * matrix.rows * matrix.columns, matrix, scheme, weights);
  }

  int64_t input_ = 0, hidden_ = 0;
  lacuna_recurrent_options options_{};
  std::vector<float> bias_;
  std::vector<Owned<lacuna_weights>> w_, r_;
  Plans<lacuna_recurrent> plans_;
};

template <class T>
Status* Make(const Engine& engine, const KernelInfo* info, std::unique_ptr<Kernel>& kernel) {
  auto made = std::make_unique<T>(engine);
  LACUNA_ORT_RETURN(made->Init(Node(engine, info)));
  kernel = std::move(made);
  return nullptr;
}

}  // namespace

Status* MakeConv(const Engine& engine, const KernelInfo* info, std::unique_ptr<Kernel>& kernel) {
  return Make<Conv>(engine, info, kernel);
}
Status* MakeGemm(const Engine& engine, const KernelInfo* info, std::unique_ptr<Kernel>& kernel) {
  return Make<Gemm>(engine, info, kernel);
}
Status* MakeGru(const Engine& engine, const KernelInfo* info, std::unique_ptr<Kernel>& kernel) {
  return Make<Gru>(engine, info, kernel);
}

}  // namespace lacuna_ort

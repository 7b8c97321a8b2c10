// Convolutions of the C interface.

#include "lacuna/conv.h"

#include "common.h"

// `source` is what the plan still needs: packed weights that may lie in a blob, or those that a Winograd form is packed
// from anew when the layer is reshaped.
struct lacuna_conv {
  lacuna_conv_shape shape;
  lacuna::c::OwnedEpilogue epilogue;
  lacuna_plan_options options;
  lacuna::Shared<lacuna::c::HeldWeights> source;
  std::variant<lacuna::Convolution<1>, lacuna::Convolution<2>, lacuna::Convolution<3>> plan;
};

namespace lacuna::inline LACUNA_ABI::c {

namespace {

// Plans `weights`, which are those of `source`, if there is one, or packed.
Status MakePlan(const LayerWeights& weights, const Shared<HeldWeights>& source, const lacuna_conv_shape& fields,
                OwnedEpilogue epilogue, const lacuna_plan_options& options, lacuna_conv** out) {
  return WithPolicy(options, [&](const auto& policy) {
    return WithShape(fields, [&]<int kRank>(const ConvShape<kRank>& shape) -> Status {
      LACUNA_ASSIGN_OR_RETURN(plan, MakeConvolution<kRank>(weights, shape, epilogue.values(), policy));
      const bool needs_source = source && (source->packed() != nullptr || !plan.weights());
      return MakeHandle(lacuna_conv{fields, std::move(epilogue), options, needs_source ? source : Shared<HeldWeights>(),
                                    std::move(plan)},
                        out);
    });
  });
}

Status Create(const lacuna_weights* weights, const lacuna_conv_shape* shape, const lacuna_epilogue* epilogue,
              const lacuna_plan_options* options, lacuna_conv** out) {
  LACUNA_ASSIGN_OR_RETURN(source, Held("weights", weights));
  LACUNA_ASSIGN_OR_RETURN(fields, ReadRequired("shape", shape));
  LACUNA_ASSIGN_OR_RETURN(owned, OwnedEpilogue::Of(epilogue));
  LACUNA_ASSIGN_OR_RETURN(choice, ReadStruct("options", options));
  LACUNA_RETURN_IF_ERROR(NotNull("conv", out));
  return MakePlan(source->ref(), source, fields, std::move(owned), choice, out);
}

Status Reshape(const lacuna_conv* conv, int64_t batch, const int64_t* input, lacuna_conv** out) {
  LACUNA_RETURN_IF_ERROR(NotNull("conv", conv));
  LACUNA_RETURN_IF_ERROR(NotNull("input", input));
  LACUNA_RETURN_IF_ERROR(NotNull("reshaped", out));
  lacuna_conv_shape fields = conv->shape;
  fields.batch = batch;
  std::copy_n(input, fields.rank, fields.input);
  LACUNA_ASSIGN_OR_RETURN(epilogue, conv->epilogue.Copy());
  const Shared<PackedWeights<float>>& packed =
      *std::visit([](const auto& plan) { return &plan.weights(); }, conv->plan);
  const LayerWeights weights = packed ? LayerWeights(packed) : conv->source->ref();
  return MakePlan(weights, conv->source, fields, std::move(epilogue), conv->options, out);
}

Status Output(const lacuna_conv* conv, int64_t* extent) {
  LACUNA_RETURN_IF_ERROR(NotNull("conv", conv));
  LACUNA_RETURN_IF_ERROR(NotNull("extent", extent));
  std::visit([&](const auto& plan) { std::ranges::copy(plan.shape().output_tensor(), extent); }, conv->plan);
  return Status();
}

template <int kRank>
Status RunPlan(const Convolution<kRank>& plan, const lacuna_conv& conv, const lacuna_tensor* x, const lacuna_tensor* y,
               const Arguments& arguments) {
  LACUNA_ASSIGN_OR_RETURN(from, ViewOf<kRank + 2>("x", x));
  LACUNA_ASSIGN_OR_RETURN(to, ViewOf<kRank + 2>("y", y));
  RunArgs<kRank> args{.workspace = arguments.workspace};
  if (conv.epilogue.residual()) {
    LACUNA_ASSIGN_OR_RETURN(residual, ViewOf<kRank + 2>("args.residual", arguments.residual));
    args.residual = residual;
  }
  return plan.Run(from, to, args, arguments.threads);
}

Status Run(const lacuna_conv* conv, const lacuna_tensor* x, const lacuna_tensor* y, const lacuna_run_args* args) {
  LACUNA_RETURN_IF_ERROR(NotNull("conv", conv));
  LACUNA_ASSIGN_OR_RETURN(arguments, Arguments::Of(args));
  LACUNA_RETURN_IF_ERROR(arguments.NoLengths());
  return std::visit([&](const auto& plan) { return RunPlan(plan, *conv, x, y, arguments); }, conv->plan);
}

}  // namespace

}  // namespace lacuna::inline LACUNA_ABI::c

lacuna_status lacuna_conv_create(const lacuna_weights* weights, const lacuna_conv_shape* shape,
                                 const lacuna_epilogue* epilogue, const lacuna_plan_options* options,
                                 lacuna_conv** conv) {
  return lacuna::c::Report(lacuna::c::Create(weights, shape, epilogue, options, conv));
}
lacuna_status lacuna_conv_reshape(const lacuna_conv* conv, int64_t batch, const int64_t* input,
                                  lacuna_conv** reshaped) {
  return lacuna::c::Report(lacuna::c::Reshape(conv, batch, input, reshaped));
}
void lacuna_conv_destroy(lacuna_conv* conv) { delete conv; }
lacuna_status lacuna_conv_output(const lacuna_conv* conv, int64_t* extent) {
  return lacuna::c::Report(lacuna::c::Output(conv, extent));
}
size_t lacuna_conv_workspace_bytes(const lacuna_conv* conv, size_t threads) {
  if (conv == nullptr) return 0;
  return std::visit([&](const auto& plan) { return plan.WorkspaceBytes(threads); }, conv->plan);
}
lacuna_status lacuna_conv_run(const lacuna_conv* conv, const lacuna_tensor* x, const lacuna_tensor* y,
                              const lacuna_run_args* args) {
  return lacuna::c::Report(lacuna::c::Run(conv, x, y, args));
}
size_t lacuna_conv_explain(const lacuna_conv* conv, char* text, size_t bytes) {
  if (conv == nullptr) return 0;
  return lacuna::c::WriteText(text, bytes, [&](lacuna::TextWriter& to) {
    std::visit([&](const auto& plan) { plan.Explain().WriteTo(to); }, conv->plan);
  });
}

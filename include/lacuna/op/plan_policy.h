// PlanPolicy: what a policy decides, as values.

#ifndef LACUNA_OP_PLAN_POLICY_H_
#define LACUNA_OP_PLAN_POLICY_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/status.h"
#include "lacuna/policy/cost.h"
#include "lacuna/policy/policy.h"
#include "lacuna/policy/product.h"
#include "lacuna/policy/reorder.h"
#include "lacuna/policy/select.h"

#include <cstddef>
#include <string_view>

namespace lacuna::inline LACUNA_ABI {

namespace op {

struct FormRequest;
struct WinogradSupport;
struct ChosenForm;

// Of the forms of a layer the one that the policy selects, packed.
using ChooseFormFn = Result<ChosenForm> (*)(const FormRequest& request);

LACUNA_API Result<ChosenForm> ChooseByPrediction(const FormRequest& request);
LACUNA_API Result<ChosenForm> ChooseWithTrials(const FormRequest& request);

LACUNA_API const WinogradSupport& Winograd();

}  // namespace op

// A policy's register tiles are types, which kernels are compiled for (kernel/table.h); everything else that it decides
// is here, so that plans are compiled once for all policies. What a policy does not use is not referred to, and
// header-only not compiled: Winograd forms without kWinograd, trials without a selector that measures.
// The policy must outlive it.
struct PlanPolicy {
  size_t input_tile_bytes = 0;
  CostFactors cost{};
  std::string_view scheme{};
  double winograd_error = 0.0;
  size_t winograd_weight_bytes = 0;
  const DenseProduct* winograd_product = nullptr;
  const op::WinogradSupport* winograd = nullptr;  // null: no Winograd forms
  RowOrder reorder{};
  SelectorRef selector{};
  op::ChooseFormFn choose_form = nullptr;

  template <Policy P>
  static PlanPolicy Of(const P& policy) {
    PlanPolicy values;
    values.input_tile_bytes = policy.input_tile_bytes;
    values.cost = policy.cost;
    values.scheme = policy.scheme;
    values.winograd_error = policy.winograd_error;
    values.winograd_weight_bytes = policy.winograd_weight_bytes;
    values.winograd_product = policy.winograd_product;
    if constexpr (P::kWinograd) values.winograd = &op::Winograd();
    values.reorder = RowOrder::Of<typename P::Reorder>();
    if constexpr (SelectsForLayer<typename P::Select>) {
      values.choose_form = &op::ChooseWithTrials;
    } else {
      values.choose_form = &op::ChooseByPrediction;
    }
    values.selector = SelectorRef::Of(policy);
    return values;
  }
};

}  // namespace lacuna::inline LACUNA_ABI

#endif  // LACUNA_OP_PLAN_POLICY_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/op/forms.h"
#include "lacuna/op/winograd_plan.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/winograd.h"
#include "lacuna/pack/winograd_blocks.h"
#include "lacuna/policy/cost.h"
#include "lacuna/policy/product.h"
#include "lacuna/policy/winograd.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace op {

// Those of kWinogradTiles that fit the layer and the policy's error.
class WinogradOffer final : public WinogradForms {
 public:
  static Result<std::unique_ptr<const WinogradForms>> Make(const KernelTable& table, const RowSource<float>& weights,
                                                           const LayerGeometry& layer, const PlanPolicy& policy) {
    std::unique_ptr<const WinogradForms> none;
    if (std::none_of(std::begin(kWinogradTiles), std::end(kWinogradTiles),
                     [&](const auto& tile) { return Fits(layer, policy, tile); })) {
      return none;
    }
    const int64_t taps = layer.axis[0].kernel * layer.axis[1].kernel * layer.axis[2].kernel;
    LACUNA_ASSIGN_OR_RETURN(kernels, KernelMatrix<float>::Of(weights, taps));
    LACUNA_ASSIGN_OR_RETURN(order, pack::OrderRows(RowSource<float>(kernels), policy.reorder));
    std::unique_ptr<WinogradOffer> offer(new (std::nothrow)
                                             WinogradOffer(table, layer, policy, std::move(kernels), std::move(order)));
    if (offer == nullptr) return Status::OutOfMemory("WinogradOffer", sizeof(WinogradOffer));
    for (size_t i = 0; i < std::min(table.panels.size(), kMostPanels); ++i) {
      LACUNA_ASSIGN_OR_RETURN(cost,
                              PredictPanelCost(RowSource<float>(offer->kernels_), table.panels[i].tile, offer->order_));
      offer->panel_cost_[i] = cost;
    }
    return std::unique_ptr<const WinogradForms>(std::move(offer));
  }

  size_t List(std::span<Form> forms) const override {
    size_t count = 0;
    const auto add = [&](const Form& form) {
      if (count < forms.size()) forms[count++] = form;
    };
    const auto most_bytes = static_cast<double>(policy_.winograd_weight_bytes);
    for (const NamedWinogradTile& tile : kWinogradTiles) {
      if (!Fits(layer_, policy_, tile) || Bytes(tile.tile) > most_bytes) continue;
      const Prediction best = Predict(tile.tile);
      add({.name = tile.name, .predicted = best.cost, .panel = best.panel, .winograd = &tile});
    }
    const DenseProduct* product = policy_.winograd_product;
    if (product == nullptr || !product->available()) return count;
    const MatrixShape& shape = kernels_.shape();
    for (const NamedWinogradTile& tile : kWinogradTiles) {
      if (!Fits(layer_, policy_, tile) || DenseWinogradBytes(shape, tile.tile) > most_bytes) continue;
      const WinogradBlocks blocks =
          ChooseWinogradBlocks(layer_.axis, tile.tile, DenseWinogradBudget(shape, table_.lanes, policy_.cost));
      add({.name = product->WinogradName(tile.tile),
           .predicted = PerOutput(blocks.cost),
           .winograd = &tile,
           .product = product});
    }
    return count;
  }

  // Dense if there is a product for that.
  Result<Shared<WinogradWeights<float>>> Pack(const Form& form) const override {
    const std::array<int64_t, 3> kernel = {layer_.axis[0].kernel, layer_.axis[1].kernel, layer_.axis[2].kernel};
    if (form.product != nullptr) {
      LACUNA_ASSIGN_OR_RETURN(packed, PackWinograd(kernels_, kernel, *form.winograd, *form.product));
      return Shared<WinogradWeights<float>>::Make(std::move(packed));
    }
    LACUNA_ASSIGN_OR_RETURN(rows, Buffer<uint32_t>::CopyOf(order_));
    LACUNA_ASSIGN_OR_RETURN(packed, PackWinograd(kernels_, kernel, *form.winograd, form.panel->tile, std::move(rows)));
    return Shared<WinogradWeights<float>>::Make(std::move(packed));
  }

 private:
  static constexpr size_t kMostPanels = 8;

  WinogradOffer(const KernelTable& table, const LayerGeometry& layer, const PlanPolicy& policy,
                KernelMatrix<float> kernels, Buffer<uint32_t> order)
      : table_(table), layer_(layer), policy_(policy), kernels_(std::move(kernels)), order_(std::move(order)) {}

  static bool Fits(const LayerGeometry& layer, const PlanPolicy& policy, const NamedWinogradTile& tile) {
    return TakesWinograd(layer.axis, tile.tile) && WinogradError(tile.tile) <= policy.winograd_error;
  }
  // Of the transformed weights, without what packing fills in.
  double Bytes(const WinogradTile& tile) const {
    return static_cast<double>(tile.products()) * static_cast<double>(kernels_.nnz()) * sizeof(float);
  }
  // The cost per vector of outputs, from that of an image and a group.
  double PerOutput(double cost) const {
    return cost * static_cast<double>(kernels_.shape().groups) * static_cast<double>(table_.lanes) / layer_.positions();
  }

  // The cheapest panel kernel for the products of `tile`, and the cost per vector of outputs.
  struct Prediction {
    const PanelKernel* panel = nullptr;
    double cost = std::numeric_limits<double>::infinity();
  };
  Prediction Predict(const WinogradTile& tile) const {
    const MatrixShape& shape = kernels_.shape();
    const auto groups = static_cast<double>(shape.groups);
    Prediction best;
    for (size_t i = 0; i < std::min(table_.panels.size(), kMostPanels); ++i) {
      const PanelKernel& panel = table_.panels[i];
      const WinogradBudget budget{.cutting = {table_.lanes, panel.Widths(), panel.few != nullptr},
                                  .weights_per_group = panel_cost_[i] / groups,
                                  .channels_per_group = shape.columns,
                                  .rows_per_group = shape.rows_per_group(),
                                  .cost = policy_.cost};
      const double cost = PerOutput(ChooseWinogradBlocks(layer_.axis, tile, budget).cost);
      if (cost < best.cost) best = {&panel, cost};
    }
    return best;
  }

  const KernelTable& table_;
  const LayerGeometry& layer_;
  const PlanPolicy& policy_;
  KernelMatrix<float> kernels_;
  Buffer<uint32_t> order_;
  std::array<double, kMostPanels> panel_cost_{};  // of a product, per vector of tiles, all groups
};

LACUNA_FUNC const WinogradSupport& Winograd() {
  static constexpr WinogradSupport kSupport = {
      &WinogradOffer::Make,
      [](const KernelTable& kernels, const Shared<WinogradWeights<float>>& weights, const LayerGeometry& layer,
         const Epilogue& epilogue, const CostFactors& cost) -> Result<OwnedLayerPlan> {
        LACUNA_ASSIGN_OR_RETURN(plan, WinogradPlan::Make(kernels, weights, layer, epilogue, cost));
        return OwnPlan(std::move(plan));
      }};
  return kSupport;
}

}  // namespace op

}  // namespace lacuna::inline LACUNA_ABI

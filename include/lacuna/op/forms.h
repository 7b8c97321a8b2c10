// Forms: the ways in which a layer can be computed, what each is predicted to cost, and its weights packed for one.

#ifndef LACUNA_OP_FORMS_H_
#define LACUNA_OP_FORMS_H_

#include "lacuna/core/abi.h"
#include "lacuna/core/buffer.h"
#include "lacuna/core/epilogue.h"
#include "lacuna/core/shape.h"
#include "lacuna/core/shared.h"
#include "lacuna/core/status.h"
#include "lacuna/format/matrix_shape.h"
#include "lacuna/kernel/table.h"
#include "lacuna/op/explain.h"
#include "lacuna/op/layer_geometry.h"
#include "lacuna/op/layer_plan.h"
#include "lacuna/op/plan_policy.h"
#include "lacuna/op/weights_ref.h"
#include "lacuna/pack/packed_weights.h"
#include "lacuna/pack/winograd.h"
#include "lacuna/policy/choices.h"
#include "lacuna/policy/product.h"
#include "lacuna/policy/select.h"
#include "lacuna/policy/winograd.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

namespace lacuna::inline LACUNA_ABI {

namespace op {

// A layer whose weights are to be packed. `layer` may be null: only the panel kernel's forms then, as it alone packs
// without knowing the layer. `key` describes it to selectors, but for what weights and kernels tell.
struct FormRequest {
  const KernelTable& kernels;
  const RowSource<float>& weights;
  const PlanPolicy& policy;
  const LayerGeometry* layer = nullptr;
  LayerKey key{};
};

// A form, packed: weights of one kind or the other.
struct ChosenForm {
  Shared<PackedWeights<float>> weights;
  Shared<WinogradWeights<float>> winograd;
  ChoiceRecord record;
};

// One way to compute a layer.
struct Form {
  const char* name = "";
  double predicted = 0;
  const PanelKernel* panel = nullptr;
  const NamedWinogradTile* winograd = nullptr;
  const DenseProduct* product = nullptr;  // of a Winograd form whose matrices are dense
  bool is_pattern = false;
  bool kept = false;  // rows in the format's order, not the policy's
};

// The Winograd forms of a layer. What a policy without them does not refer to.
class WinogradForms {
 public:
  virtual ~WinogradForms() = default;
  // Writes them to `forms`, as many as there is room for; returns how many.
  virtual size_t List(std::span<Form> forms) const = 0;
  virtual Result<Shared<WinogradWeights<float>>> Pack(const Form& form) const = 0;
};
struct WinogradSupport {
  // Null where no Winograd tile fits the layer and the policy's error. What is returned keeps references to all
  // arguments.
  Result<std::unique_ptr<const WinogradForms>> (*offer)(const KernelTable& kernels, const RowSource<float>& weights,
                                                        const LayerGeometry& layer, const PlanPolicy& policy);
  Result<OwnedLayerPlan> (*plan)(const KernelTable& kernels, const Shared<WinogradWeights<float>>& weights,
                                 const LayerGeometry& layer, const Epilogue& epilogue, const CostFactors& cost);
};

class Forms {
 public:
  // Of what `request` refers to, which must outlive it.
  static Result<Forms> Of(const FormRequest& request);

  size_t count() const { return count_; }
  bool has_winograd() const { return winograd_ != nullptr; }
  const Form& operator[](size_t i) const { return form_[i]; }

  Result<ChosenForm> Pack(size_t i) const;
  // What was chosen of `candidates`, packed unless it is already. Winograd forms are given up if it is another: what
  // only they need is freed before others are packed.
  Result<ChosenForm> Chosen(std::span<const Candidate> candidates, const Choice& choice,
                            std::optional<ChosenForm> packed) &&;

 private:
  explicit Forms(const FormRequest& request)
      : kernels_(request.kernels), weights_(request.weights), policy_(request.policy), layer_(request.layer) {}

  bool has_pattern() const { return layer_ != nullptr && !kernels_.patterns.empty(); }
  void Add(const Form& form) {
    if (count_ < form_.size()) form_[count_++] = form;
  }
  Status AddPattern();
  Status AddPanels(std::span<const uint32_t> order, bool kept);

  const KernelTable& kernels_;
  const RowSource<float>& weights_;
  const PlanPolicy& policy_;
  const LayerGeometry* layer_;
  Buffer<uint32_t> order_;  // of rows, as the policy wants it
  std::unique_ptr<const WinogradForms> winograd_;
  std::array<Form, Explanation::kMaxOptions> form_{};
  size_t count_ = 0;
};

LayerGeometry GeometryOf(const ConvShape<3>& shape);
// Ok if weights of that shape are a convolution's.
Status CheckMatrix(const MatrixShape& matrix, const ConvShape<3>& shape);

// The form that the policy chooses; weights that are packed already are taken as they are.
LACUNA_API Result<ChosenForm> ChooseForm(const KernelTable& kernels, const LayerWeights& weights,
                                         const PlanPolicy& policy, const LayerGeometry* layer, const LayerKey& key);

// A plan that runs it.
Result<OwnedLayerPlan> MakeLayerPlan(const KernelTable& kernels, const ChosenForm& form, const LayerGeometry& layer,
                                     const Epilogue& epilogue, const PlanPolicy& policy);

}  // namespace op

}  // namespace lacuna::inline LACUNA_ABI

#ifndef LACUNA_COMPILED
#include "lacuna/op/forms.ipp"           // IWYU pragma: keep
#include "lacuna/op/trial.ipp"           // IWYU pragma: keep
#include "lacuna/op/winograd_forms.ipp"  // IWYU pragma: keep
#endif

#endif  // LACUNA_OP_FORMS_H_

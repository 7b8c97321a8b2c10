#include "tools/explain.h"

#include <cstdarg>
#include <cstdio>

#include "tools/report.h"

namespace report {
namespace {

// Appends what is printed, up to a line's length.
[[gnu::format(printf, 2, 3)]] void Append(std::string& to, const char* format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof(text), format, args);
  va_end(args);
  to += text;
}

// The plan of weights and its candidates, below the line that says what `name` is.
std::string PlanText(const std::string& name, const std::string& shape, const graph::WeightInfo& weights) {
  const lacuna::Explanation& plan = weights.plan;
  std::string text;
  Append(text, "%s: %s, %s, %.4g %% of the weights\n", name.c_str(), shape.c_str(), weights.scheme.c_str(),
         100.0 * static_cast<double>(weights.nnz) / static_cast<double>(weights.weights));
  if (plan.option_count == 0) {
    Append(text, "    %s\n", weights.explanation.c_str());
    return text;
  }
  Append(text, "    %s, %.2f MB packed: %s\n", plan.options[plan.chosen].name,
         static_cast<double>(plan.packed_bytes) * 1e-6, plan.reason.data());
  for (size_t i = 0; plan.option_count > 1 && i < plan.option_count; ++i) {
    const lacuna::Explanation::Option& option = plan.options[i];
    Append(text, "  %c %-28s %12.5g", i == plan.chosen ? '*' : ' ', option.name, option.predicted);
    if (option.measured_seconds == 0.0) {
      Append(text, " %12s\n", "-");
    } else {
      Append(text, " %12.4f\n", 1e3 * option.measured_seconds);
    }
  }
  return text;
}

}  // namespace

std::string ExplanationText(const graph::LayerInfo& layer) {
  if (layer.weights->products.empty()) return PlanText(layer.name, ShapeText(layer), *layer.weights);
  std::string text;
  for (const graph::WeightInfo& product : layer.weights->products) {
    text += PlanText(layer.name, product.geometry, product);
  }
  return text;
}

void PrintExplanations(const std::string& name, const graph::Network& network) {
  std::printf("%s: each layer's candidates, * the chosen one\n", name.c_str());
  std::printf("    %-28s %12s %12s\n", "candidate", "predicted", "measured ms");
  std::printf("    %-28s %12s %12s\n", "", "(relative)", "(one thread)");
  for (const graph::LayerInfo& layer : network.layers()) {
    if (layer.weights != nullptr) std::printf("%s", ExplanationText(layer).c_str());
  }
}

}  // namespace report

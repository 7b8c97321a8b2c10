#include "graph/accuracy_drops.h"

#include "graph/json_file.h"

namespace graph {
namespace {

using nlohmann::json;

constexpr JsonFormat kFormat = {"lacuna sensitivity", 1};

// Errors do not say yet where the drop stands.
Result<LayerDrop> DropOf(const json& object) {
  const auto wrong = [](const char* what) { return Status::Make(StatusCode::kDataLoss, "%s", what); };
  const auto layer = StringMember(object, "layer"), scheme = StringMember(object, "scheme");
  const auto drop = NumberMember(object, "drop");
  if (!layer.has_value()) return wrong("\"layer\" must be the name of a layer");
  if (!scheme.has_value()) return wrong("\"scheme\" must be a string");
  const auto parsed = lacuna::prune::ParseScheme(*scheme);
  if (!parsed.ok()) return wrong(parsed.status().message());
  if (!drop.has_value() || !(*drop >= -1 && *drop <= 1)) return wrong("\"drop\" must be in [-1, 1]");
  return LayerDrop{*layer, *parsed, *drop};
}

}  // namespace

std::vector<lacuna::prune::MeasuredDrop> AccuracyDrops::Measured() const& {
  std::vector<lacuna::prune::MeasuredDrop> measured;
  for (const LayerDrop& drop : drops) measured.push_back({drop.layer, drop.scheme, drop.drop});
  return measured;
}

Result<AccuracyDrops> ReadDrops(const std::string& path) {
  LACUNA_ASSIGN_OR_RETURN(object, ReadJson(path, kFormat));
  AccuracyDrops read;
  read.network = StringMember(object, "network").value_or("");
  read.images = static_cast<size_t>(IntegerMember(object, "images", 0, kMaxTensorElements).value_or(0));
  read.accuracy = NumberMember(object, "accuracy").value_or(0.0);
  const json* drops = ArrayMember(object, "drops");
  if (drops == nullptr) {
    return Status::Make(StatusCode::kDataLoss, "'%.120s': \"drops\" must be an array", path.c_str());
  }
  for (const json& entry : *drops) {
    auto drop = DropOf(entry);
    if (!drop.ok()) {
      return Status::Make(StatusCode::kDataLoss, "'%.80s': drops[%zu]: %s", path.c_str(), read.drops.size(),
                          drop.status().message());
    }
    read.drops.push_back(*std::move(drop));
  }
  return read;
}

Status WriteDrops(const AccuracyDrops& drops, const std::string& path) {
  nlohmann::ordered_json object = JsonOf(kFormat);
  object["network"] = drops.network;
  object["images"] = drops.images;
  object["accuracy"] = drops.accuracy;
  object["drops"] = nlohmann::ordered_json::array();
  for (const LayerDrop& drop : drops.drops) {
    object["drops"].push_back({{"layer", drop.layer}, {"scheme", drop.scheme.Name()}, {"drop", drop.drop}});
  }
  return WriteJson(object, path);
}

}  // namespace graph

#include "tools/tuning.h"

#include "lacuna/policy/machine.h"

#include <cstdio>
#include <filesystem>
#include <ostream>
#include <system_error>
#include <utility>

#include "graph/replace_file.h"
#include "graph/target.h"

namespace tools {

using graph::Result;
using graph::SelectBy;
using graph::Status;
using graph::StatusCode;

void AddTuningOptions(CLI::App& app, TuningArguments& arguments) {
  app.add_flag("--tune", arguments.tune,
               "choose each layer's kernel by running the candidates, on one thread, instead of by the cost model");
  char seconds[64];
  std::snprintf(seconds, sizeof(seconds), "seconds to measure a layer; default: %g", lacuna::kMeasureSeconds);
  app.add_option("--tune-seconds", arguments.seconds, seconds);
  app.add_option("--tuning", arguments.file,
                 "--tune with a file that keeps what was measured: layers in it are not measured again, others are "
                 "added. It is for one CPU, SIMD target and version of lacuna; any other is replaced");
  app.add_option("--winograd-error", arguments.winograd_error,
                 "the largest error of Winograd forms to accept, relative to the root mean square of a layer's "
                 "outputs: 0 for none, 1e-5 for all but 6x6 and 4x4x4")
      ->capture_default_str();
}

Tuning::Tuning(std::string tool)
    : tool_(std::move(tool)), choices_(lacuna::CpuName(), graph::ActiveTargetName()), bar_(stderr) {}

Status Tuning::Prepare(const TuningArguments& arguments) {
  const bool measures = arguments.tune || !arguments.file.empty();
  if (arguments.seconds.has_value() && !measures) {
    return Status::InvalidArgument("--tune-seconds is %g, must be absent without --tune and --tuning",
                                   *arguments.seconds);
  }
  selection_.winograd_error = arguments.winograd_error;
  if (measures) {
    selection_.by = SelectBy::kMeasurement;
    selection_.seconds = arguments.seconds.value_or(lacuna::kMeasureSeconds);
    selection_.choices = &choices_;
    selection_.progress = [this](const graph::TuningProgress& progress) { bar_.Show(progress); };
  }
  LACUNA_RETURN_IF_ERROR(selection_.Validate());
  if (const auto cost = graph::MeasuredCost(); cost.ok()) {
    selection_.cost = *cost;
  } else {
    std::fprintf(stderr, "%s: this machine could not be measured, costs are those of the reference machine: %s\n",
                 tool_.c_str(), cost.status().message());
  }
  file_ = arguments.file;
  return file_.empty() ? Status() : Load();
}

std::string Tuning::Description() const {
  std::string text = selection_.by == SelectBy::kMeasurement ? "by measurement" : "by cost model";
  if (selection_.winograd_error == 0.0) return text + ", no Winograd forms";
  char error[64];
  std::snprintf(error, sizeof(error), ", Winograd forms up to an error of %g", selection_.winograd_error);
  return text + error;
}

Status Tuning::Save() {
  bar_.Clear();
  if (file_.empty()) return Status();
  LACUNA_ASSIGN_OR_RETURN(text, Text());
  return text == written_ ? Status() : Write(text);
}

Status Tuning::Load() {
  std::error_code error;
  const bool exists = std::filesystem::exists(file_, error);
  if (error) return Status::Make(StatusCode::kNotFound, "cannot read '%s': %s", file_.c_str(), error.message().c_str());
  if (std::filesystem::is_directory(file_, error)) {
    return Status::InvalidArgument("tuning file '%s' is a folder, must be a file", file_.c_str());
  }
  const Status status = choices_.Load(file_.c_str());
  if (!exists || status.ok()) {
    LACUNA_ASSIGN_OR_RETURN(text, Text());
    if (!exists) return Write(text);
    written_ = std::move(text);
    return Status();
  }
  if (status.code() == StatusCode::kNotFound || status.code() == StatusCode::kOutOfMemory) return status;
  std::fprintf(stderr, "%s: '%s' is not used and will be written anew: %s\n", tool_.c_str(), file_.c_str(),
               status.message());
  return Status();
}

Result<std::string> Tuning::Text() const {
  LACUNA_ASSIGN_OR_RETURN(text, choices_.Serialize());
  return std::string(text.begin(), text.end());
}

Status Tuning::Write(const std::string& text) {
  LACUNA_RETURN_IF_ERROR(graph::ReplaceFile(file_, [&](std::ostream& file) {
    file << text;
    return true;
  }));
  written_ = text;
  return Status();
}

}  // namespace tools

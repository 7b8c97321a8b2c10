// Tuning: how a tool's networks select their kernels, from its options to the file of saved choices.

#ifndef LACUNA_EXAMPLES_TOOLS_TUNING_H_
#define LACUNA_EXAMPLES_TOOLS_TUNING_H_

#include "lacuna/policy/choices.h"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

#include "graph/kernel_selection.h"
#include "tools/progress_bar.h"

namespace tools {

struct TuningArguments {
  bool tune = false;
  std::optional<double> seconds;
  std::string file;
  double winograd_error = lacuna::kWinogradError;
};

// --tune, --tune-seconds, --tuning and --winograd-error.
void AddTuningOptions(CLI::App& app, TuningArguments& arguments);

class Tuning {
 public:
  // `tool` begins the messages on stderr.
  explicit Tuning(std::string tool);

  // Measures the machine and reads the file. A file that does not exist is made, lest it turn out after tuning that it
  // cannot be; a stale or damaged one is said to be so and ignored, until Save replaces it. Fails if an argument is out
  // of range, or the file can be neither read nor written.
  graph::Status Prepare(const TuningArguments& arguments);

  // Refers to this object.
  const graph::KernelSelection& selection() const { return selection_; }
  // "by measurement, Winograd forms up to an error of 0.0001"
  std::string Description() const;

  // Ends the progress bar, and replaces the file if choices were added. The new one is written beside it first, so that
  // at any moment there is a whole one.
  graph::Status Save();

 private:
  graph::Status Load();
  graph::Result<std::string> Text() const;
  graph::Status Write(const std::string& text);

  std::string tool_;
  std::string file_;
  std::string written_;  // what the file holds, empty if nothing of use
  lacuna::Choices choices_;
  graph::KernelSelection selection_;
  ProgressBar bar_;
};

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_TUNING_H_

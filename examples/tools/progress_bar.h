// ProgressBar: how far the tuning of a network is, in one line of a terminal.

#ifndef LACUNA_EXAMPLES_TOOLS_PROGRESS_BAR_H_
#define LACUNA_EXAMPLES_TOOLS_PROGRESS_BAR_H_

#include <cstddef>
#include <cstdio>
#include <string>

#include "graph/kernel_selection.h"

namespace tools {

// "[#####---------------]  3/13 conv2_1: winograd 4x4", cut to `columns`.
std::string BarText(const graph::TuningProgress& progress, size_t columns);

// Where the stream is no terminal, a line for each layer instead.
class ProgressBar {
 public:
  explicit ProgressBar(std::FILE* stream);
  ~ProgressBar() { Clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Show(const graph::TuningProgress& progress);
  // Removes the bar, before anything else is printed.
  void Clear();

 private:
  std::FILE* stream_;
  bool is_terminal_;
  bool shown_ = false;
};

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_PROGRESS_BAR_H_

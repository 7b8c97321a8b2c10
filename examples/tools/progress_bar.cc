#include "tools/progress_bar.h"

#include <unistd.h>

#include <algorithm>

namespace tools {
namespace {

constexpr size_t kBarColumns = 20;
constexpr size_t kLineColumns = 79;  // a narrower terminal would wrap the line, and keep what wrapped

}  // namespace

std::string BarText(const graph::TuningProgress& progress, size_t columns) {
  const double of_layer =
      progress.total == 0 ? 0.0 : static_cast<double>(progress.done) / static_cast<double>(progress.total);
  const double layers = static_cast<double>(std::max<size_t>(progress.layers, 1));
  const double fraction = std::clamp((static_cast<double>(progress.layer) - 1.0 + of_layer) / layers, 0.0, 1.0);
  const auto filled = static_cast<size_t>(fraction * static_cast<double>(kBarColumns));
  std::string text = "[" + std::string(filled, '#') + std::string(kBarColumns - filled, '-') + "] ";
  text += std::to_string(progress.layer) + "/" + std::to_string(progress.layers) + " " + progress.name;
  if (*progress.candidate != '\0') text += std::string(": ") + progress.candidate;
  return text.substr(0, columns);
}

ProgressBar::ProgressBar(std::FILE* stream) : stream_(stream), is_terminal_(isatty(fileno(stream)) == 1) {}

void ProgressBar::Show(const graph::TuningProgress& progress) {
  if (is_terminal_) {
    std::fprintf(stream_, "\r%s\x1b[K", BarText(progress, kLineColumns).c_str());  // ... and clears what is behind
    std::fflush(stream_);
    shown_ = true;
  } else if (progress.done == 0) {
    std::fprintf(stream_, "tuning layer %zu of %zu, %s\n", progress.layer, progress.layers, progress.name.c_str());
  }
}

void ProgressBar::Clear() {
  if (!shown_) return;
  std::fprintf(stream_, "\r\x1b[K");
  std::fflush(stream_);
  shown_ = false;
}

}  // namespace tools

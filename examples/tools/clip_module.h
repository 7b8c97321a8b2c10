// clip::ReadClip in a module of its own, which is loaded when a clip is to be read: FFmpeg brings more than a hundred
// shared libraries, 25 MB that a run without a clip need not hold.

#ifndef LACUNA_EXAMPLES_TOOLS_CLIP_MODULE_H_
#define LACUNA_EXAMPLES_TOOLS_CLIP_MODULE_H_

#include <optional>
#include <string>

#include "clip/clip.h"

namespace tools {

using ReadClipFunction = void(const std::string& path, const clip::ClipOptions& options,
                              std::optional<lacuna::Result<clip::Clip>>& result);

// The symbol of the module that has this type.
inline constexpr const char* kReadClipSymbol = "LacunaReadClip";

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_CLIP_MODULE_H_

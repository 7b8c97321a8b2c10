// clip::ReadClip in a module of its own, which is loaded when a clip is to be read: FFmpeg brings more than a hundred
// shared libraries, 25 MB that a run without a clip need not hold.

#ifndef LACUNA_EXAMPLES_TOOLS_CLIP_MODULE_H_
#define LACUNA_EXAMPLES_TOOLS_CLIP_MODULE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "clip/clip.h"

namespace tools {

using ReadClipFunction = void(const std::string& path, const clip::ClipOptions& options,
                              std::optional<lacuna::Result<clip::Clip>>& result);

using ReadStillFunction = void(const std::string& path, int64_t height, int64_t width,
                               std::optional<lacuna::Result<clip::Clip>>& result);

// The symbols of the module that have these types.
inline constexpr const char* kReadClipSymbol = "LacunaReadClip";
inline constexpr const char* kReadStillSymbol = "LacunaReadStill";

// clip::ReadClip and clip::ReadStill by the module, which stands beside the program and is loaded by the first call;
// kUnsupported where it is not there.
lacuna::Result<clip::Clip> LoadAndReadClip(const std::string& path, const clip::ClipOptions& options);
lacuna::Result<clip::Clip> LoadAndReadStill(const std::string& path, int64_t height, int64_t width);

}  // namespace tools

#endif  // LACUNA_EXAMPLES_TOOLS_CLIP_MODULE_H_

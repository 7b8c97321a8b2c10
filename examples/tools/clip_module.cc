#include "tools/clip_module.h"

extern "C" void LacunaReadClip(const std::string& path, const clip::ClipOptions& options,
                               std::optional<lacuna::Result<clip::Clip>>& result);

void LacunaReadClip(const std::string& path, const clip::ClipOptions& options,
                    std::optional<lacuna::Result<clip::Clip>>& result) {
  result.emplace(clip::ReadClip(path, options));
}

static_assert(std::is_same_v<decltype(LacunaReadClip), tools::ReadClipFunction>);

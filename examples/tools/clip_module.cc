#include "tools/clip_module.h"

extern "C" void LacunaReadClip(const std::string& path, const clip::ClipOptions& options,
                               std::optional<lacuna::Result<clip::Clip>>& result);

void LacunaReadClip(const std::string& path, const clip::ClipOptions& options,
                    std::optional<lacuna::Result<clip::Clip>>& result) {
  result.emplace(clip::ReadClip(path, options));
}

extern "C" void LacunaReadStill(const std::string& path, int64_t height, int64_t width,
                                std::optional<lacuna::Result<clip::Clip>>& result);

void LacunaReadStill(const std::string& path, int64_t height, int64_t width,
                     std::optional<lacuna::Result<clip::Clip>>& result) {
  result.emplace(clip::ReadStill(path, height, width));
}

static_assert(std::is_same_v<decltype(LacunaReadStill), tools::ReadStillFunction>);
static_assert(std::is_same_v<decltype(LacunaReadClip), tools::ReadClipFunction>);

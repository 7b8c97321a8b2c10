// The programs' side of tools/clip_module.h.

#include <dlfcn.h>

#include <filesystem>
#include <optional>
#include <system_error>

#include "tools/clip_module.h"

namespace tools {
namespace {

// The module stands beside the program. Named without a folder it is left to the system's search, where /proc is
// absent.
std::string ModulePath() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? LACUNA_CLIP_MODULE : (program.parent_path() / LACUNA_CLIP_MODULE).string();
}

// The module stays loaded: what it read may be used for as long as the process runs.
template <class Function, class... Args>
lacuna::Result<clip::Clip> LoadAndCall(const char* name, const Args&... args) {
  void* module = dlopen(ModulePath().c_str(), RTLD_NOW | RTLD_LOCAL);
  void* symbol = module == nullptr ? nullptr : dlsym(module, name);
  if (symbol == nullptr) {
    const char* error = dlerror();
    return lacuna::Status::Make(lacuna::StatusCode::kUnsupported, "cannot read images and clips: %s",
                                error == nullptr ? LACUNA_CLIP_MODULE : error);
  }
  std::optional<lacuna::Result<clip::Clip>> result;
  reinterpret_cast<Function*>(symbol)(args..., result);
  return *std::move(result);
}

}  // namespace

lacuna::Result<clip::Clip> LoadAndReadClip(const std::string& path, const clip::ClipOptions& options) {
  return LoadAndCall<ReadClipFunction>(kReadClipSymbol, path, options);
}

lacuna::Result<clip::Clip> LoadAndReadStill(const std::string& path, int64_t height, int64_t width) {
  return LoadAndCall<ReadStillFunction>(kReadStillSymbol, path, height, width);
}

}  // namespace tools

// A folder of images as a clip.

#ifndef LACUNA_EXAMPLES_CLIP_FOLDER_H_
#define LACUNA_EXAMPLES_CLIP_FOLDER_H_

#include <string>

#include "clip/clip.h"

namespace clip {

// True if `a` stands before `b` where runs of digits count as numbers: frame2 before frame10.
bool NaturalLess(const std::string& a, const std::string& b);

// Preconditions: `path` is a folder, `options` are valid.
lacuna::Result<Clip> ReadFolder(const std::string& path, const ClipOptions& options);

}  // namespace clip

#endif  // LACUNA_EXAMPLES_CLIP_FOLDER_H_

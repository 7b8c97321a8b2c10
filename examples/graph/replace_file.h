// ReplaceFile: files that are written whole or not at all.

#ifndef LACUNA_EXAMPLES_GRAPH_REPLACE_FILE_H_
#define LACUNA_EXAMPLES_GRAPH_REPLACE_FILE_H_

#include "lacuna/core/status.h"

#include <functional>
#include <ostream>
#include <string>

namespace graph {

using lacuna::Status;

// Writes beside `path` and renames, so that a file that stands there is replaced whole or stays as it is. `write`
// returns false if it has failed. kNotFound names the path and the reason.
Status ReplaceFile(const std::string& path, const std::function<bool(std::ostream&)>& write);

}  // namespace graph

#endif  // LACUNA_EXAMPLES_GRAPH_REPLACE_FILE_H_

// Every public header in one unit: it must compile without a warning.

#include "lacuna/c/lacuna.h"
#include <lacuna/lacuna.h>
#include <lacuna/narrow.h>

int main() { return lacuna::StatusCodeName(lacuna::StatusCode::kOk) == nullptr; }

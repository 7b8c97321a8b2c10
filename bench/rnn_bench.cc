// Recurrent layers, one sequence at a time: ops `gru`, `gru_lbr` (linear before reset) and `lstm` with weights in the
// caches that hold them; `gru_cold` and so on, of single steps alone, with weights in memory.

#include <array>
#include <string_view>

#include "lacuna_engine.h"
#include "peers/peers.h"
#include "suite.h"
#include "weight_report.h"

namespace {

using namespace lacuna::bench;

bool TakesStep(const Layer& layer) { return layer.input[2] == 1; }
bool TakesAny(const Layer&) { return true; }

}  // namespace

int main(int argc, char** argv) {
  struct CellOp {
    Cell cell;
    const char *warm, *cold;
  };
  constexpr auto kCells = std::to_array<CellOp>({{Cell::kGru, "gru", "gru_cold"},
                                                 {Cell::kGruLinearBeforeReset, "gru_lbr", "gru_lbr_cold"},
                                                 {Cell::kLstm, "lstm", "lstm_cold"}});
  Suite suite{.description = "Recurrent layers of real networks.",
              .ops = {},
              .schemes = {"dense", "bcr_col-8x", "bcr-8x", "unstructured-8x"},
              .lacuna = &LacunaRecurrences,
              .peers = &OnednnRecurrences,
              .print = &PrintRecurrences};
  for (const bool cold : {false, true}) {
    for (const CellOp& op : kCells) {
      suite.ops.push_back({.name = cold ? op.cold : op.warm,
                           .op = Op::kRecurrent,
                           .channels_last = true,
                           .takes = cold ? &TakesStep : &TakesAny,
                           .weight_bound = true,
                           .cold = cold,
                           .cell = op.cell});
    }
  }
  return RunSuite(suite, argc, argv);
}

// What a decision costs, as the queue and the farm grow.
#pragma once

#include <string>

namespace manyarch::bench {

// Prints a table; returns JSON objects, separated by commas. Each row has so many builds queued and
// workers busy, one of which ends its build again and again: its slot is taken by the next.
std::string DecisionCosts();

}  // namespace manyarch::bench

// Columns of text.
#pragma once

#include <string>
#include <vector>

namespace manyarch::cli {

// Rows of cells, aligned by column, two spaces between; the last column is not padded. The first
// row is usually the heading. Rows may be shorter than others. Each cell is shown as SafeLine shows
// it, whoever has said what is in it.
std::string AlignedTable(const std::vector<std::vector<std::string>>& cells);

}  // namespace manyarch::cli

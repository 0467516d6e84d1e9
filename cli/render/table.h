// Columns of text.
#pragma once

#include <string>
#include <vector>

namespace manyarch::cli {

// Rows of cells, aligned by column, two spaces between; the last column is not padded. The first
// row is usually the heading. Rows may be shorter than others.
std::string AlignedTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace manyarch::cli

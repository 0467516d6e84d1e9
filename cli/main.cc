// manyarch: one image tag that works on every architecture.
#include "cli/commands/app.h"

int main(int argc, char** argv) { return manyarch::cli::RunApp(argc, argv); }

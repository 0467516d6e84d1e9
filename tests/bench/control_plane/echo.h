// What gRPC alone can do here: a stream of the same messages with nothing behind it.
#pragma once

namespace manyarch::bench {

// Round trips a second, over `streams` bidirectional streams with a connection each: the client
// sends a Finished, the server answers with an Acknowledged. Both in this process; the server on
// async completion queues, as the controller is.
double EchoRate(int streams, double seconds);

}  // namespace manyarch::bench

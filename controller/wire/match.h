// One function for each alternative of a variant.
#pragma once

namespace manyarch::controller::wire {

template <typename... Fs>
struct Match : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Match(Fs...) -> Match<Fs...>;

}  // namespace manyarch::controller::wire
